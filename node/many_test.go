package node_test

import (
	"slices"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// Who has made a mesh is in it when that is answered.
func TestASessionIsInAMeshAtOnce(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	for _, name := range []string{"first", "second", "third"} {
		nodetest.Call(ana, mesh.New, mesh.NewRequest{Name: name})
		nodetest.Call(ana, overview.Info, overview.InfoRequest{InMesh: op.InMesh{Mesh: name}})
	}
}

func TestAMessageToAllAndToAGroup(t *testing.T) {
	ana, bo := pair(t)
	cy := nodetest.Start(t, "cy")
	cy.Join(ana.Invite())
	from, to, third := ana.Agent("a"), bo.Agent("b"), cy.Agent("c")
	other := ana.Agent("a2")
	nodetest.CallAs(cy, third, presence.JoinGroup, presence.JoinGroupRequest{Name: "eng/web"})
	sees(ana, from, "ana", "ana-2", "bo", "cy")
	ana.Wait("aware of the group", func() bool {
		for _, p := range nodetest.CallAs(ana, from, presence.Peers, presence.PeersRequest{}).Meshes[0].Peers {
			if p.Name == "cy" {
				return len(p.Groups) == 1
			}
		}
		return false
	})
	all, group := send(ana, from, "@all", "to all"), send(ana, from, "@eng", "to eng")
	for _, id := range []string{all, group} {
		ana.Wait("told that everybody has it", func() bool {
			return nodetest.CallAs(ana, from, message.Status, message.StatusRequest{ID: id}).Delivered
		})
	}
	if got := bodies(bo, to); !slices.Equal(got, []string{"to all"}) {
		t.Errorf("bo got %q", got)
	}
	if got := bodies(cy, third); !slices.Equal(got, []string{"to all", "to eng"}) {
		t.Errorf("cy got %q", got)
	}
	if got := bodies(ana, other); !slices.Equal(got, []string{"to all"}) {
		t.Errorf("ana's other session got %q", got)
	}
	if got := bodies(ana, from); len(got) != 0 {
		t.Errorf("the sender got %q", got)
	}
}
