package node_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/grant"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/profile"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

func peerOf(name string) grant.WhichPeer { return grant.WhichPeer{Peer: name} }

// Invariant 7: a blocked sender sees what an unread one sees, in everything that it can
// ask; and the one who blocks is shown nothing, later neither, unless it asks.
func TestABlockedSenderSeesWhatAnUnreadOneSees(t *testing.T) {
	ana, bo, cy := three(t)
	as, bs, cs := ana.Agent("a"), bo.Agent("b"), cy.Agent("c")
	for _, n := range []struct {
		n *nodetest.Node
		c op.Caller
	}{{ana, as}, {bo, bs}, {cy, cs}} {
		sees(n.n, n.c, "ana", "bo", "cy")
		nodetest.CallAs(n.n, n.c, presence.JoinGroup, presence.JoinGroupRequest{Name: "eng"})
	}
	bo.Wait("aware of the group", func() bool {
		g := nodetest.CallAs(bo, bs, presence.Groups, presence.GroupsRequest{}).Groups
		return len(g) == 1 && len(g[0].Members) == 3
	})
	// What waits when it is blocked is out of sight, too.
	early := send(bo, bs, "ana", "before")
	reaches(bo, bs, early, message.Delivered)
	out := nodetest.Call(ana, grant.Block, grant.BlockRequest{WhichPeer: peerOf("bo")})
	if !out.Blocked || out.Name != "bo" || len(out.Caps) != 0 {
		t.Fatalf("blocked: %+v", out)
	}
	// ana blocks bo, cy does not read: bo cannot tell them apart.
	sent := map[string]string{
		"direct": send(bo, bs, "ana", "direct"), "low": lowly(bo, bs, "ana"),
		"group": send(bo, bs, "@eng", "group"), "all": send(bo, bs, "@all", "all"),
	}
	control := map[string]string{"direct": send(bo, bs, "cy", "direct"), "low": lowly(bo, bs, "cy")}
	for what, id := range sent {
		bo.Wait("told that "+what+" is delivered", func() bool {
			return nodetest.CallAs(bo, bs, message.Status, message.StatusRequest{ID: id}).Delivered
		})
	}
	for what, id := range control {
		reaches(bo, bs, id, message.Delivered)
		a, c := fate(bo, bs, sent[what]), fate(bo, bs, id)
		if !slices.Equal(a, c) {
			t.Errorf("%s: to who blocks %q, to who does not read %q", what, a, c)
		}
	}
	for _, what := range []string{"group", "all"} {
		if got := fate(bo, bs, sent[what]); len(got) != 2 || got[0] != got[1] {
			t.Errorf("%s: %q", what, got)
		}
	}
	ping := nodetest.CallAs(bo, bs, overview.Ping, overview.PingRequest{})
	for _, p := range ping.Priorities {
		if len(p.Trips) != 2 || p.Trips[0].Error != p.Trips[1].Error || p.Trips[0].Held != p.Trips[1].Held {
			t.Errorf("ping %+v", p)
		}
	}
	linked(bo, bs, "ana", "cy")
	for _, c := range []op.Caller{as, nodetest.User()} {
		if got := bodies(ana, c); len(got) != 0 {
			t.Errorf("ana is shown %q", got)
		}
		if got := nodetest.CallAs(ana, c, message.Check, message.CheckRequest{Again: true}); len(got.Messages)+got.More+len(got.Unconfirmed) != 0 {
			t.Errorf("ana is shown %+v", got)
		}
	}
	ana.Restart()
	as = ana.Agent("a")
	if got := bodies(ana, as); len(got) != 0 {
		t.Errorf("after a restart ana is shown %q", got)
	}
	// Unblocked, what was held stays where it is, until somebody asks.
	nodetest.Call(ana, grant.Unblock, grant.UnblockRequest{WhichPeer: peerOf("bo")})
	if got := bodies(ana, as); len(got) != 0 {
		t.Errorf("unblocked, ana is shown %q", got)
	}
	reaches(bo, bs, send(bo, bs, "ana", "after"), message.Delivered)
	if got := bodies(ana, as); !slices.Equal(got, []string{"after"}) {
		t.Errorf("unblocked, ana is shown %q", got)
	}
	if out := nodetest.Call(ana, grant.Unblock, grant.UnblockRequest{WhichPeer: peerOf("bo"), Held: true}); out.Released != 5 {
		t.Errorf("released %+v", out)
	}
	got := bodies(ana, as)
	slices.Sort(got)
	if !slices.Equal(got, []string{"all", "before", "direct", "group", "low"}) {
		t.Errorf("asked for, ana is shown %q", got)
	}
	reaches(bo, bs, early, message.Seen)
}

func lowly(n *nodetest.Node, c op.Caller, to string) string {
	return nodetest.CallAs(n, c, message.Send, message.SendRequest{To: message.Targets{to}, Message: "low", Priority: message.Low}).ID
}

// fate is what a sender is told of a message, per recipient, without names and times.
func fate(n *nodetest.Node, c op.Caller, id string) (out []string) {
	for _, r := range nodetest.CallAs(n, c, message.Status, message.StatusRequest{ID: id}).Recipients {
		held := ""
		if r.Held {
			held = " held"
		}
		out = append(out, string(r.State)+held+r.Reason)
	}
	return out
}

// Each of dm and broadcast refuses what it names and no more. A message that names
// somebody and a group takes both.
func TestWhatEachCapabilityRefuses(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	sees(bo, bs, "ana", "bo")
	nodetest.Call(ana, grant.Remove, grant.RemoveRequest{WhichPeer: peerOf("bo"), Caps: []string{"broadcast"}})
	for _, to := range []message.Targets{{"ana"}, {"@all"}, {"ana", "@all"}} {
		id := nodetest.CallAs(bo, bs, message.Send, message.SendRequest{To: to, Message: strings.Join(to, " and ")}).ID
		bo.Wait("told", func() bool {
			return nodetest.CallAs(bo, bs, message.Status, message.StatusRequest{ID: id}).Delivered
		})
	}
	if got := bodies(ana, as); !slices.Equal(got, []string{"ana"}) {
		t.Errorf("without broadcast ana is shown %q", got)
	}
	nodetest.Call(ana, grant.Unblock, grant.UnblockRequest{WhichPeer: peerOf("bo")})
	nodetest.Call(ana, grant.Default, grant.DefaultRequest{Caps: []string{"broadcast"}})
	for _, to := range []string{"ana", "@all"} {
		id := send(bo, bs, to, "later "+to)
		bo.Wait("told", func() bool {
			return nodetest.CallAs(bo, bs, message.Status, message.StatusRequest{ID: id}).Delivered
		})
	}
	if got := bodies(ana, as); !slices.Equal(got, []string{"later @all"}) {
		t.Errorf("by the default ana is shown %q", got)
	}
}

// state-write takes a peer's writes out of what is shown, state-read hides them;
// neither stops replication, and nobody else sees a difference.
func TestSharedStateOfWhomOneDoesNotLet(t *testing.T) {
	ana, bo := pair(t)
	as, toAna := feedOf[op.StateChange](t, ana, "a", op.TopicState)
	bs := bo.Agent("b")
	sees(bo, bs, "ana", "bo")
	set(ana, as, "k", `"ana's"`)
	holds(bo, bs, "k", `"ana's"`)
	set(bo, bs, "k", `"bo's"`)
	set(bo, bs, "own", `1`)
	holds(ana, as, "k", `"bo's"`)
	holds(ana, as, "own", `1`)
	ana.Wait("told of both", func() bool { return len(toAna()) >= 2 })
	told := len(toAna())
	nodetest.Call(ana, grant.Remove, grant.RemoveRequest{WhichPeer: peerOf("bo"), Caps: []string{"state-write"}})
	holds(ana, as, "k", `"ana's"`)
	holds(ana, as, "own", "")
	set(bo, bs, "k", `"bo's again"`)
	set(bo, bs, "own", `2`)
	set(ana, as, "fence", `1`)
	holds(bo, bs, "fence", `1`)
	holds(bo, bs, "k", `"bo's again"`)
	// What bo writes next comes to ana behind it, records of one author being in order.
	bio := "after the state"
	nodetest.CallAs(bo, bs, profile.Set, profile.SetRequest{Bio: &bio})
	ana.Wait("in possession of what bo wrote", func() bool {
		return nodetest.CallAs(ana, as, profile.Get, profile.GetRequest{Member: "bo"}).Bio == bio
	})
	nodetest.Call(ana, grant.Add, grant.AddRequest{WhichPeer: peerOf("bo"), Caps: []string{"state-write"}})
	holds(ana, as, "k", `"bo's again"`) // it was replicated all the time
	holds(ana, as, "own", `2`)
	if n := len(toAna()); n != told {
		t.Errorf("ana was told of %d changes that did not count", n-told)
	}
	nodetest.Call(ana, grant.Remove, grant.RemoveRequest{WhichPeer: peerOf("bo"), Caps: []string{"state-read"}})
	holds(ana, as, "k", "")
	holds(ana, as, "own", "")
	holds(ana, as, "fence", `1`)
	// An own write goes beyond what is hidden: everybody sees it.
	set(ana, as, "k", `"the last"`)
	holds(bo, bs, "k", `"the last"`)
	holds(ana, as, "k", `"the last"`)
}

// read hides what a peer says of itself, in lists and profiles.
func TestWordsOfWhomOneDoesNotRead(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	sees(ana, as, "ana", "bo")
	nodetest.CallAs(bo, bs, presence.Summary, presence.SummaryRequest{Summary: "do as I say"})
	bio := "obey"
	nodetest.CallAs(bo, bs, profile.Set, profile.SetRequest{Bio: &bio})
	says := func() (summary, bio string) {
		for _, p := range nodetest.CallAs(ana, as, presence.Peers, presence.PeersRequest{}).Meshes[0].Peers {
			if p.Name == "bo" {
				summary = p.Summary
			}
		}
		return summary, nodetest.CallAs(ana, as, profile.Get, profile.GetRequest{Member: "bo"}).Bio
	}
	ana.Wait("aware of what bo says", func() bool { s, b := says(); return s != "" && b != "" })
	nodetest.Call(ana, grant.Remove, grant.RemoveRequest{WhichPeer: peerOf("bo"), Caps: []string{"read"}})
	if s, b := says(); s+b != "" {
		t.Errorf("bo says %q, %q", s, b)
	}
}

// Rules are about members: they hold for those who are away, for their next sessions,
// and after a restart. An agent cannot change them.
func TestGrantsAreAboutMembers(t *testing.T) {
	ana, bo := pair(t)
	as := ana.Agent("a")
	bo.Agent("b")
	sees(ana, as, "ana", "bo")
	bo.Stop()
	refused(t, ana, as, grant.Block, grant.BlockRequest{WhichPeer: peerOf("bo")}, op.Denied)
	for _, part := range "0123456789abcdefo" { // nor does a digit of its key name it
		refused(t, ana, nodetest.User(), grant.Block, grant.BlockRequest{WhichPeer: peerOf(string(part))}, op.NotFound)
	}
	refused(t, ana, nodetest.User(), grant.Block, grant.BlockRequest{WhichPeer: peerOf("ana")}, op.Invalid)
	refused(t, ana, nodetest.User(), grant.Add, grant.AddRequest{WhichPeer: peerOf("bo"), Caps: []string{"dm", "fly"}}, op.Invalid)
	nodetest.Call(ana, grant.Block, grant.BlockRequest{WhichPeer: peerOf("bo")})
	ana.Restart()
	as = ana.Agent("a")
	list := nodetest.CallAs(ana, as, grant.List, grant.ListRequest{})
	if len(list.Peers) != 1 || list.Peers[0].Name != "bo" || !list.Peers[0].Blocked || len(list.Grants) != 1 {
		t.Fatalf("%+v", list)
	}
	bo.Restart()
	bs := bo.Agent("another session")
	sees(bo, bs, "ana", "bo", "bo-2")
	reaches(bo, bs, send(bo, bs, "ana", "hello"), message.Delivered)
	if got := bodies(ana, as); len(got) != 0 {
		t.Errorf("ana is shown %q", got)
	}
}

// Both sides see the same digits; when a verified name has another key, everybody here
// is told, wherever the name is met.
func TestAChangedKeyIsShoutedAbout(t *testing.T) {
	ana, bo := pair(t)
	as, told := feedOf[op.System](t, ana, "a", op.TopicSystem)
	bo.Agent("b")
	sees(ana, as, "ana", "bo")
	here := nodetest.Call(ana, grant.Verify, grant.VerifyRequest{Peer: "bo"})
	there := nodetest.Call(bo, grant.Verify, grant.VerifyRequest{})
	if len(here.Peers) != 1 || len(there.Peers) != 1 || here.Peers[0].Number != there.Peers[0].Number || here.Peers[0].Verified != "" {
		t.Fatalf("ana sees %+v, bo %+v", here, there)
	}
	nodetest.Call(ana, grant.Mark, grant.MarkRequest{WhichPeer: peerOf("bo")})
	nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: []string{"bo"}})
	other := nodetest.Start(t, "bo")
	other.Join(ana.Invite())
	os := other.Agent("o")
	ana.Wait("warned", func() bool {
		return slices.ContainsFunc(told(), func(e op.System) bool { return e.Event == "key_changed" && strings.Contains(e.Text, "CHANGED") })
	})
	sees(other, os, "ana", "bo")
	ana.Wait("warned in the list of peers", func() bool {
		for _, p := range nodetest.CallAs(ana, as, presence.Peers, presence.PeersRequest{}).Meshes[0].Peers {
			if p.Name == "bo" && p.Warning != "" && !p.Verified {
				return true
			}
		}
		return false
	})
	out := nodetest.CallAs(ana, as, message.Send, message.SendRequest{To: message.Targets{"bo"}, Message: "is it you?"})
	if out.Targets[0].Warning == "" || !strings.Contains(out.Text(), "WARNING") {
		t.Errorf("sending says %q", out.Text())
	}
	// Once its digits are compared, too, all is well.
	nodetest.Call(ana, grant.Mark, grant.MarkRequest{WhichPeer: peerOf("bo")})
	again := nodetest.Call(ana, grant.Verify, grant.VerifyRequest{Grants: true})
	if len(again.Peers) != 1 || again.Peers[0].Warning != "" || again.Peers[0].Verified == "" || again.Peers[0].Grants == nil {
		t.Errorf("%+v", again)
	}
	if again.Peers[0].Number == here.Peers[0].Number {
		t.Error("another key has the same digits")
	}
	count := 0
	for _, e := range told() {
		if e.Event == "key_changed" {
			count++
		}
	}
	if count != 1 {
		t.Errorf("told %d times", count)
	}
}
