package presence

import (
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
