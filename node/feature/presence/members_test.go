package presence

import (
	"maps"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestMembersAreListedWithOrWithoutASession(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	w.person(t, "cy")
	bo.agent(t, "b1")
	out, err := Members.Call(t.Context(), optest.Set(t, ana.Ops()...), op.Caller{User: true}, MembersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range out.Members {
		got[m.Name] = m.State
	}
	if got["ana"] != "online" || got["bo"] != "online" || got["cy"] != "offline" || len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// What is known of a member beyond its name: who admitted it and how many sessions it
// has open.
func TestMembersSayWhoAdmittedThem(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	w.members[0].By, w.members[0].Since = ana.key, w.now
	w.members[1].By, w.members[1].Since = ana.key, w.now
	w.person(t, "cy")
	w.members[2].By, w.members[2].Since = ident.PublicKey{9}, w.now
	bo.agent(t, "b1")
	bo.agent(t, "b2")
	out, err := Members.Call(t.Context(), optest.Set(t, ana.Ops()...), op.Caller{User: true}, MembersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := []MemberState{
		{State: "online", Own: true},
		{State: "online", Sessions: 2, AdmittedBy: "ana", Since: "2026-01-02T03:04:05Z"},
		{State: "offline", AdmittedBy: "member 0900000000000000", Since: "2026-01-02T03:04:05Z"},
	}
	for i, m := range out.Members {
		m.MemberInfo = MemberInfo{}
		if m != want[i] {
			t.Errorf("%d: %+v", i, m)
		}
	}
}

// Who is online is one fact: the list of members, that of peers, the groups, the counts and
// whom a name means say the same of a member with an open session, of one whose node runs
// without any, of one whose session was closed, and of one who is not there.
func TestWhoIsOnlineIsOneFact(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bare, left := w.person(t, "bare"), w.person(t, "left")
	w.person(t, "none")
	bo.agent(t, "b1")
	bare.shoutAll(t.Context())
	if _, err := left.answerClose(t.Context(), left.agent(t, "l1"), CloseRequest{}); err != nil {
		t.Fatal(err)
	}
	left.shoutAll(t.Context())
	all, user := optest.Set(t, ana.Ops()...), op.Caller{User: true}
	members, err := Members.Call(t.Context(), all, user, MembersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"ana": "online", "bo": "online", "bare": "online", "left": "online", "none": "offline"}
	got, keys := map[string]string{}, map[string]string{}
	for _, m := range members.Members {
		got[m.Name], keys[m.Name] = m.State, m.Key
	}
	if !maps.Equal(got, want) {
		t.Errorf("members: %v", got)
	}
	peers, err := Peers.Call(t.Context(), all, user, PeersRequest{All: true})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, p := range peers.Meshes[0].Peers {
		listed[p.Member] = true
		if p.MemberState != want[p.Member] || p.Session == "" && p.State != want[p.Member] {
			t.Errorf("peers: %+v", p)
		}
	}
	online := ana.OnlineMembers(w.id)
	for name, state := range want {
		if name != "ana" && !listed[name] {
			t.Errorf("%s is not listed", name)
		}
		a, err := ana.Resolve(w.id, ident.PublicKey{}, keys[name])
		if err != nil || a.Online != (state == "online") || online[a.Key] != a.Online {
			t.Errorf("whom %s means: %+v, %v, counted %v", name, a, err, online[a.Key])
		}
	}
}
