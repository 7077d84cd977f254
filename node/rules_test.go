package node_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// three is an owner, a member that is online and one that is not looked at.
func three(t *testing.T) (ana, bo, cy *nodetest.Node) {
	t.Helper()
	ana, bo = pair(t)
	cy = nodetest.Start(t, "cy")
	cy.Join(ana.Invite())
	return ana, bo, cy
}

// linked waits until a node is connected with those of sessions that it lists.
func linked(n *nodetest.Node, c op.Caller, names ...string) {
	n.Wait("connected", func() bool {
		count := 0
		for _, p := range nodetest.CallAs(n, c, presence.Peers, presence.PeersRequest{}).Meshes[0].Peers {
			if slices.Contains(names, p.Name) && p.Path != "unreachable" && p.Path != "" {
				count++
			}
		}
		return count == len(names)
	})
}

// info is what a node knows of its only mesh.
func info(n *nodetest.Node) mesh.Info {
	return nodetest.Call(n, mesh.List, mesh.ListRequest{}).Meshes[0]
}

// refused performs an operation that must fail with a code.
func refused[In, Out any](t *testing.T, n *nodetest.Node, c op.Caller, s op.Spec[In, Out], in In, code op.Code) *op.Error {
	t.Helper()
	_, err := s.Call(t.Context(), n.Ops(), c, in)
	if op.CodeOf(err) != code {
		t.Fatalf("%s at %s: %v (%s), want %s", s.ID, n.Name, err, op.CodeOf(err), code)
	}
	return op.AsError(err)
}

// A ban cuts off whom it names at every node, and nobody else notices: not those who
// are online, not those who come later.
func TestABanCutsOffWhomItNames(t *testing.T) {
	ana, bo, cy := three(t)
	dan := nodetest.Start(t, "dan")
	dan.Join(ana.Invite())
	as, cs := ana.Agent("a"), cy.Agent("c")
	bs, told := feedOf[op.System](t, bo, "b", op.TopicSystem)
	closed := func() []op.System {
		return slices.DeleteFunc(told(), func(e op.System) bool { return e.Event != "removed" && e.Event != "readmitted" })
	}
	dan.Agent("d")
	sees(ana, as, "ana", "bo", "cy", "dan")
	sees(cy, cs, "ana", "bo", "cy", "dan")
	dan.Stop()
	out := nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: []string{"bo"}})
	if len(out.Banned) != 1 || out.Remaining != 3 || out.Told != 1 {
		t.Errorf("%+v", out)
	}
	sees(ana, as, "ana", "cy", "dan") // dan is away for a while before it is offline
	sees(cy, cs, "ana", "cy", "dan")
	// It learns so, says so, and stops.
	bo.Wait("aware that it was removed", func() bool { return info(bo).Removed != nil })
	if got := info(bo); got.Role != "removed" || got.Removed.By != "ana" {
		t.Errorf("bo lists %+v", got)
	}
	for _, c := range []op.Caller{bs, nodetest.User()} {
		err := refused(t, bo, c, message.Send, message.SendRequest{To: message.Targets{"cy"}, Message: "still here"}, op.Denied)
		if !strings.Contains(err.Message, "ana removed you from team") || err.Hint == "" {
			t.Errorf("bo is told %q (%s)", err.Message, err.Hint)
		}
	}
	refused(t, ana, as, message.Send, message.SendRequest{To: message.Targets{"bo"}, Message: "gone?"}, op.NotFound)
	// The others go on, the one that was away, too; with its maker gone.
	reaches(cy, cs, send(cy, cs, "ana", "all well"), message.Delivered)
	ana.Stop()
	dan.Restart()
	ds := dan.Agent("d")
	reaches(dan, ds, send(dan, ds, "cy", "back again"), message.Delivered)
	if got := info(dan); got.Members != 3 || got.KeyDue || got.KeyMissing {
		t.Errorf("dan knows %+v", got)
	}
	bo.Wait("told so", func() bool { return len(closed()) > 0 })
	bo.Restart() // what it was told outlives it, and whoever works there is told once
	if got := closed(); len(got) != 1 || got[0].Event != "removed" || !strings.Contains(got[0].Text, "ana removed you from team") {
		t.Errorf("bo's session is told %+v", got)
	}
	if got := info(bo); got.Removed == nil {
		t.Errorf("after a restart bo lists %+v", got)
	}
}

// Who is let in again finds out by itself, gets the key it lacks and all its mail.
func TestUnbanLetsIn(t *testing.T) {
	ana, bo, cy := three(t)
	as := ana.Agent("a")
	cy.Agent("c")
	_, told := feedOf[op.System](t, bo, "b", op.TopicSystem)
	sees(ana, as, "ana", "bo", "cy")
	nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: []string{"bo"}})
	bo.Wait("aware that it was removed", func() bool { return info(bo).Removed != nil })
	var bans []ledger.Gone
	cy.Wait("aware of it", func() bool { bans = nodetest.Call(cy, mesh.Bans, mesh.BansRequest{}).Bans; return len(bans) > 0 })
	if len(bans) != 1 || bans[0].Name != "bo" || bans[0].By != "ana" || bans[0].At == "" {
		t.Errorf("bans %+v", bans)
	}
	refused(t, cy, nodetest.User(), mesh.Unban, mesh.UnbanRequest{Member: "bo"}, op.Denied)
	nodetest.Call(ana, mesh.Unban, mesh.UnbanRequest{Member: "bo"})
	bo.Wait("in again", func() bool { return info(bo).Removed == nil && !info(bo).KeyMissing })
	bo.Wait("told both", func() bool {
		var got []string
		for _, e := range told() {
			if e.Event == "removed" || e.Event == "readmitted" {
				got = append(got, e.Event)
			}
		}
		return slices.Equal(got, []string{"removed", "readmitted"})
	})
	bs := bo.Agent("b")
	sees(bo, bs, "ana", "bo", "cy")
	sees(ana, as, "ana", "bo", "cy")
	reaches(bo, bs, send(bo, bs, "ana", "thank you"), message.Delivered)
	cy.Wait("aware that nobody is banned", func() bool { return len(nodetest.Call(cy, mesh.Bans, mesh.BansRequest{}).Bans) == 0 })
}

// Line 22 of the catalogue of complaints: a kick had no effect, as its victim came
// back by design. It does so here, too, and the answer says so.
func TestAKickComesBack(t *testing.T) {
	ana, bo, cy := three(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	cy.Agent("c")
	sees(ana, as, "ana", "bo", "cy")
	sees(bo, bs, "ana", "bo", "cy")
	linked(bo, bs, "ana", "cy")
	linked(ana, as, "bo", "cy")
	closed := func(n *nodetest.Node) int {
		return len(account(n, audit.QueryRequest{Member: "bo", Kind: "member_disconnected"}))
	}
	before := map[*nodetest.Node]int{ana: closed(ana), cy: closed(cy)}
	out := nodetest.Call(ana, mesh.Kick, mesh.KickRequest{Member: "bo"})
	for n, was := range before { // both with the one who kicked and with everybody else
		n.Wait("cut off from bo", func() bool { return closed(n) > was })
	}
	if len(out.Kicked) != 1 || out.Kicked[0].Closed != 1 || out.Kicked[0].Refused != "" {
		t.Errorf("%+v", out)
	}
	if text := out.Text(); !strings.Contains(text, "again by itself") || !strings.Contains(text, "claudemesh ban") {
		t.Errorf("the answer is %q", text)
	}
	reaches(bo, bs, send(bo, bs, "ana", "here I am"), message.Delivered)
	reaches(ana, as, send(ana, as, "bo", "so you are"), message.Delivered)
	refused(t, bo, nodetest.User(), mesh.Kick, mesh.KickRequest{Member: "cy"}, op.Denied)
	refused(t, ana, nodetest.User(), mesh.Kick, mesh.KickRequest{Member: "ana"}, op.Invalid)
	refused(t, ana, nodetest.User(), mesh.Kick, mesh.KickRequest{Member: "zoe"}, op.NotFound)
	if n := info(ana).Members; n != 3 {
		t.Errorf("%d members", n)
	}
}

// A leave is followed by a new key, which the owner writes at once.
func TestALeaveChangesTheKey(t *testing.T) {
	ana, bo, cy := three(t)
	as, cs := ana.Agent("a"), cy.Agent("c")
	sees(ana, as, "ana", "cy")
	nodetest.Call(bo, mesh.Leave, mesh.LeaveRequest{Mesh: "team"})
	for _, n := range []*nodetest.Node{ana, cy} {
		n.Wait("through with the leave", func() bool {
			got := info(n)
			return got.Members == 2 && !got.KeyDue && !got.KeyMissing
		})
	}
	reaches(cy, cs, send(cy, cs, "ana", "under a new key"), message.Delivered)
}

// Without the owner an admin writes it, after those before it had their time.
func TestAnAdminChangesTheKeyInItsTurn(t *testing.T) {
	ana, bo, cy := three(t)
	nodetest.Call(ana, mesh.Promote, mesh.PromoteRequest{Member: "cy"})
	cs := cy.Agent("c")
	bs := bo.Agent("b")
	linked(cy, cs, "bo")
	linked(bo, bs, "cy")
	cy.Wait("an admin", func() bool { return info(cy).Role == "admin" })
	ana.Stop()
	nodetest.Call(bo, mesh.Leave, mesh.LeaveRequest{Mesh: "team"})
	cy.Wait("aware that a key is due", func() bool { return info(cy).KeyDue })
	cy.Wait("through with it", func() bool { return !info(cy).KeyDue })
	ana.Restart()
	ana.Wait("of the same mind", func() bool { got := info(ana); return !got.KeyDue && got.Members == 2 })
}

// Roles: only the owner gives them, and an admin can do what it may.
func TestRolesAreFollowed(t *testing.T) {
	ana, bo, cy := three(t)
	bo.Agent("b")
	cy.Agent("c")
	linked(ana, ana.Agent("a"), "bo", "cy")
	// "y" finds cy where one writes to somebody. Here it must not.
	for _, part := range []string{"y", "c"} {
		refused(t, ana, nodetest.User(), mesh.Promote, mesh.PromoteRequest{Member: part}, op.NotFound)
		refused(t, ana, nodetest.User(), mesh.Ban, mesh.BanRequest{Members: []string{part}}, op.NotFound)
		refused(t, ana, nodetest.User(), mesh.Kick, mesh.KickRequest{Member: part}, op.NotFound)
	}
	refused(t, bo, nodetest.User(), mesh.Promote, mesh.PromoteRequest{Member: "bo"}, op.Denied)
	refused(t, bo, nodetest.User(), mesh.Invite, mesh.InviteRequest{}, op.Denied)
	if out := nodetest.Call(ana, mesh.Promote, mesh.PromoteRequest{Member: "bo"}); out.Was != "member" || out.Role != "admin" || out.Told != 2 {
		t.Errorf("%+v", out)
	}
	refused(t, bo, nodetest.User(), mesh.Ban, mesh.BanRequest{Members: []string{"ana"}}, op.Denied)
	refused(t, bo, nodetest.User(), mesh.Demote, mesh.DemoteRequest{Member: "bo"}, op.Denied)
	dan := nodetest.Start(t, "dan")
	dan.Join(bo.Invite())
	nodetest.Call(bo, mesh.Ban, mesh.BanRequest{Members: []string{"dan"}})
	nodetest.Call(ana, mesh.Demote, mesh.DemoteRequest{Member: "bo"})
	bo.Wait("demoted", func() bool { return info(bo).Role == "member" })
	refused(t, bo, nodetest.User(), mesh.Ban, mesh.BanRequest{Members: []string{"cy"}}, op.Denied)
	refused(t, ana, ana.Agent("a"), mesh.Ban, mesh.BanRequest{Members: []string{"cy"}}, op.Denied) // that is for a person
	// What the admin did while it was one stays.
	ana.Wait("of dan's removal", func() bool {
		bans := nodetest.Call(ana, mesh.Bans, mesh.BansRequest{}).Bans
		return len(bans) == 1 && bans[0].By == "bo"
	})
}

// A key that the owner takes back from a thief: what it did is struck, with a look at
// it first.
func TestVoidStrikesWhatAThiefDid(t *testing.T) {
	ana, bo, cy := three(t)
	nodetest.Call(ana, mesh.Promote, mesh.PromoteRequest{Member: "bo"})
	// Who does not know that bo may remove would not believe it.
	cy.Wait("aware that bo is an admin", func() bool {
		return slices.ContainsFunc(nodetest.Call(cy, presence.Members, presence.MembersRequest{}).Members, func(m presence.MemberState) bool {
			return m.Name == "bo" && m.Role == "admin"
		})
	})
	cs := cy.Agent("c")
	nodetest.Call(bo, mesh.Ban, mesh.BanRequest{Members: []string{"cy"}})
	eve := nodetest.Start(t, "eve")
	eve.Join(bo.Invite())
	ana.Wait("of what bo did", func() bool {
		return len(nodetest.Call(ana, mesh.Bans, mesh.BansRequest{}).Bans) == 1 && info(ana).Members == 3
	})
	cy.Wait("aware that it was removed", func() bool { return info(cy).Removed != nil })
	refused(t, bo, nodetest.User(), mesh.Void, mesh.VoidRequest{By: "ana"}, op.Denied)
	look := nodetest.Call(ana, mesh.Void, mesh.VoidRequest{By: "bo"})
	want := []string{"cy is in again, as member", "eve is no member any more"}
	if look.Done || !look.StillAdmin || !slices.Equal(look.Changes[:2], want) || len(look.Struck) != 3 {
		t.Errorf("a look gives %+v", look)
	}
	if got := info(ana).Members; got != 3 {
		t.Errorf("a look changed the mesh: %d members", got)
	}
	nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: []string{"bo"}})
	done := nodetest.Call(ana, mesh.Void, mesh.VoidRequest{By: "bo", Apply: true})
	if !done.Done || done.StillAdmin || len(done.Struck) != 3 {
		t.Errorf("struck %+v", done)
	}
	cy.Wait("in again", func() bool { return info(cy).Removed == nil && info(cy).Members == 2 && !info(cy).KeyMissing })
	eve.Wait("out", func() bool { return info(eve).Removed != nil && info(eve).Removed.By == "ana" })
	as := ana.Agent("a")
	sees(cy, cs, "ana", "cy")
	reaches(ana, as, send(ana, as, "cy", "welcome back"), message.Delivered)
	ana.Wait("clean", func() bool { return !info(ana).KeyDue })
}

// Invites can be looked at and ended, give what they were made to give, and tell whom
// they let in.
func TestInvitesAreListedAndEnded(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	ana.Found("team")
	first := nodetest.Call(ana, mesh.Invite, mesh.InviteRequest{Name: "kim", RoleTag: "reviewer", Groups: []string{"@eng:lead"}, Mode: "inbox"}).Link
	many := nodetest.Call(ana, mesh.Invite, mesh.InviteRequest{Uses: 3}).Link
	bo, cy := nodetest.Start(t, "bo"), nodetest.Start(t, "cy")
	if got := bo.Join(first); got.Member != "kim" {
		t.Errorf("admitted as %q", got.Member)
	}
	cy.Join(many)
	open := nodetest.Call(ana, mesh.Invites, mesh.InvitesRequest{}).Invites
	all := nodetest.Call(ana, mesh.Invites, mesh.InvitesRequest{All: true}).Invites
	if len(open) != 1 || open[0].Used != 1 || !slices.Equal(open[0].UsedBy, []string{"cy"}) || len(all) != 2 {
		t.Fatalf("open %+v of %d", open, len(all))
	}
	used := all[slices.IndexFunc(all, func(v ledger.Invite) bool { return v.ID != open[0].ID })]
	if used.State != "used up" || used.Name != "kim" || used.RoleTag != "reviewer" || !slices.Equal(used.Groups, []string{"eng:lead"}) || used.Mode != "inbox" {
		t.Errorf("the used one: %+v", used)
	}
	nodetest.Call(ana, mesh.Uninvite, mesh.UninviteRequest{IDs: []string{open[0].ID[:12]}})
	dan := nodetest.Start(t, "dan")
	refused(t, dan, nodetest.User(), mesh.Join, mesh.JoinRequest{Link: many}, op.Denied)
	refused(t, ana, nodetest.User(), mesh.Uninvite, mesh.UninviteRequest{All: true}, op.NotFound)
	refused(t, ana, nodetest.User(), mesh.Uninvite, mesh.UninviteRequest{IDs: []string{used.ID}}, op.Conflict)
	// A ban ends those that several can use: the banned may know them.
	many = nodetest.Call(ana, mesh.Invite, mesh.InviteRequest{Uses: 3}).Link
	if out := nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: []string{"cy"}}); out.InvitesEnded != 1 {
		t.Errorf("%+v", out)
	}
	refused(t, dan, nodetest.User(), mesh.Join, mesh.JoinRequest{Link: many}, op.Denied)
	many = nodetest.Call(ana, mesh.Invite, mesh.InviteRequest{Uses: 3}).Link
	if out := nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: []string{"kim"}, KeepInvites: true}); out.InvitesEnded != 0 {
		t.Errorf("%+v", out)
	}
	dan.Join(many)
}
