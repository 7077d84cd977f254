package node_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/grant"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// account is what a node's account says, newest first.
func account(n *nodetest.Node, in audit.QueryRequest) []audit.Entry {
	return nodetest.Call(n, audit.Query, in).Entries
}

// events are the names of entries of one chain.
func events(entries []audit.Entry, chain string) (out []string) {
	for _, e := range entries {
		if e.Chain == chain {
			out = append(out, e.Event)
		}
	}
	return out
}

// chainState finds what a node says of the chain of a member.
func chainState(n *nodetest.Node, name string) audit.Chain {
	for _, c := range nodetest.Call(n, audit.Verify, audit.VerifyRequest{}).Chains {
		if c.Name == name {
			return c
		}
	}
	return audit.Chain{}
}

// Who let whom in, and took what from whom, is known at every node, and nobody can
// take it back.
func TestTheAccountIsSharedAndSurvives(t *testing.T) {
	ana, bo, cy := three(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	cy.Agent("c")
	sees(ana, as, "ana", "bo", "cy")
	nodetest.Call(ana, mesh.Promote, mesh.PromoteRequest{Member: "bo"})
	bo.Wait("an admin", func() bool { return info(bo).Role == "admin" })
	nodetest.Call(bo, mesh.Ban, mesh.BanRequest{Members: []string{"cy"}})
	key := info(ana).MemberKey
	want := []string{"role_changed", "member_admitted", "invite_made", "member_admitted", "invite_made", "mesh_made"}
	for _, n := range []*nodetest.Node{ana, bo} {
		n.Wait("one with all chains", func() bool {
			return chainState(n, "ana").State == audit.Valid && chainState(n, "bo").State == audit.Valid && chainState(n, "bo").Entries == 1 &&
				len(account(n, audit.QueryRequest{Kind: "role_changed"})) > 0
		})
		if got := events(account(n, audit.QueryRequest{}), key); !slices.Equal(got, want) {
			t.Errorf("%s knows of ana %v, want %v", n.Name, got, want)
		}
	}
	if c := chainState(bo, "this node"); c.State != audit.Valid || c.Entries == 0 {
		t.Errorf("bo's own chain: %+v", c)
	}
	// The local chain has what the others did, and the messages without their text.
	send(bo, bs, "ana", "this text is nobody's business")
	all := nodetest.Call(bo, audit.Query, audit.QueryRequest{Member: "bo", Kind: "message*"})
	if len(all.Entries) != 1 || all.Entries[0].Data["target"] != "ana" || strings.Contains(all.Text(), "business") {
		t.Errorf("%+v", all)
	}
	if got := events(account(bo, audit.QueryRequest{Kind: "role_changed"}), "local"); len(got) != 1 {
		t.Errorf("bo saw %v", got)
	}
	if got := account(ana, audit.QueryRequest{Member: "cy", Kind: "member_removed"}); len(got) == 0 || got[0].Actor != "bo" {
		t.Errorf("cy was removed by %+v", got)
	}
	bo.Restart()
	if c := chainState(bo, "bo"); c.State != audit.Valid || c.Entries != 1 {
		t.Errorf("after a restart: %+v", c)
	}
	refused(t, bo, bs, audit.Query, audit.QueryRequest{}, op.Denied)
	refused(t, bo, nodetest.User(), audit.Query, audit.QueryRequest{Since: "yesterday"}, op.Invalid)
	refused(t, bo, nodetest.User(), audit.Query, audit.QueryRequest{Limit: 501}, op.Invalid)
	if got := nodetest.Call(bo, audit.Query, audit.QueryRequest{Limit: 1}); len(got.Entries) != 1 || !got.More {
		t.Errorf("a page: %+v", got)
	}
}

// A ban of many members is told of for each of them: in the own chain of who banned, and
// in those of the others, who find each by name.
func TestABanOfManyIsToldForEach(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	ana.Found("team")
	gone := []string{"eve-1", "eve-2", "eve-3", "eve-4", "eve-5"}
	bo := nodetest.Start(t, "bo")
	bo.Join(ana.Invite())
	for _, name := range gone {
		n := nodetest.Start(t, name)
		n.Join(ana.Invite())
		n.Stop()
	}
	bo.Wait("aware of all", func() bool { return info(bo).Members == 7 })
	nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: gone})
	bo.Wait("aware of the ban", func() bool { return info(bo).Members == 2 })
	for _, n := range []*nodetest.Node{ana, bo} {
		n.Wait("one with ana's chain", func() bool {
			return len(events(account(n, audit.QueryRequest{Kind: "member_removed"}), info(ana).MemberKey)) == len(gone)
		})
		for _, name := range gone {
			chains := map[string]int{}
			for _, e := range account(n, audit.QueryRequest{Kind: "member_removed", Member: name}) {
				chains[e.Chain]++
				if e.Actor != "ana" || len(e.Data["member"]) != 64 || e.Data["with"] != "4" {
					t.Errorf("%s reads of %s: %+v", n.Name, name, e)
				}
			}
			if chains[info(ana).MemberKey] != 1 || len(chains) > 2 || n == bo && chains["local"] != 1 {
				t.Errorf("%s finds of %s %v", n.Name, name, chains)
			}
		}
		if c := chainState(n, "ana"); c.State != audit.Valid {
			t.Errorf("%s says of ana's chain: %+v", n.Name, c)
		}
	}
	ana.Restart()
	if got := events(account(ana, audit.QueryRequest{Kind: "member_removed"}), info(ana).MemberKey); len(got) != len(gone) {
		t.Errorf("after a restart: %v", got)
	}
}

// What a member lets others do is its own business, and so is the account of it: it is
// in this node's chain with the change itself, and nobody else hears of it.
func TestChangesOfGrantsAreInTheOwnChain(t *testing.T) {
	ana, bo := pair(t)
	as := ana.Agent("a")
	bo.Agent("b")
	sees(ana, as, "ana", "bo")
	nodetest.Call(ana, grant.Remove, grant.RemoveRequest{WhichPeer: peerOf("bo"), Caps: []string{"broadcast"}})
	nodetest.Call(ana, grant.Block, grant.BlockRequest{WhichPeer: peerOf("bo")})
	nodetest.Call(ana, grant.Unblock, grant.UnblockRequest{WhichPeer: peerOf("bo")})
	nodetest.Call(ana, grant.Default, grant.DefaultRequest{Caps: []string{"dm"}})
	nodetest.Call(ana, grant.Mark, grant.MarkRequest{WhichPeer: peerOf("bo")})
	nodetest.Call(ana, grant.Mark, grant.MarkRequest{WhichPeer: peerOf("bo"), Undo: true})
	ana.Restart()
	changes := []string{"peer_unverified", "peer_verified", "default_grants_changed", "grants_forgotten", "peer_blocked", "grants_changed"}
	for _, n := range []*nodetest.Node{ana, bo} {
		var got []string
		for _, e := range account(n, audit.QueryRequest{Limit: 500}) {
			if !slices.Contains(changes, e.Event) {
				continue
			}
			got = append(got, e.Event)
			if e.Chain != "local" || e.Actor != "ana" || e.Event != "default_grants_changed" && e.Data["name"] != "bo" {
				t.Errorf("%+v", e)
			}
		}
		want := changes
		if n == bo {
			want = nil
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s knows of %v, want %v", n.Name, got, want)
		}
	}
	one := account(ana, audit.QueryRequest{Member: "bo", Kind: "grants_changed"})
	if len(one) != 1 || one[0].Data["capabilities"] != "read dm state-read" {
		t.Errorf("%+v", one)
	}
	if c := chainState(ana, "this node"); c.State != audit.Valid || c.Entries < uint64(len(changes)) {
		t.Errorf("the own chain: %+v", c)
	}
}
