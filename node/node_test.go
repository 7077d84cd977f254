package node_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/nodetest"
)

func TestAMessageFromOneNodeToAnother(t *testing.T) {
	ana, bo := nodetest.Start(t, "ana"), nodetest.Start(t, "bo")
	ana.Found("team")
	bo.Join(ana.Invite())
	from, to := ana.Agent("a"), bo.Agent("b")
	ana.Wait("aware of bo's session", func() bool {
		peers := nodetest.CallAs(ana, from, presence.Peers, presence.PeersRequest{})
		return len(peers.Meshes[0].Peers) == 2
	})
	sent := nodetest.CallAs(ana, from, message.Send, message.SendRequest{To: message.Targets{"bo"}, Message: "hello"})
	ana.Wait("told of the delivery", func() bool {
		return nodetest.CallAs(ana, from, message.Status, message.StatusRequest{ID: sent.ID}).Delivered
	})
	got := nodetest.CallAs(bo, to, message.Check, message.CheckRequest{})
	if len(got.Messages) != 1 || got.Messages[0].Body != "hello" || got.Messages[0].FromName != "ana" {
		t.Fatalf("bo got %+v", got)
	}
}
