package presence

import (
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestResolve(t *testing.T) {
	w := newWorld()
	ana, bo, carla := w.person(t, "ana"), w.person(t, "bo"), w.person(t, "carla")
	w.person(t, "Carl")
	asker, other := ana.agent(t, "a1"), ana.agent(t, "a2")
	bo.agent(t, "b1")
	self, err := ana.Caller(asker, "")
	if err != nil {
		t.Fatal(err)
	}
	two, err := ana.Caller(other, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, name string
		session      bool
		code         op.Code
	}{
		{"bo", "bo", true, ""},
		{"BO", "bo", true, ""},
		{"team:bo", "bo", true, ""},
		{"ana-2", "ana-2", true, ""},
		{two.Session.String(), "ana-2", true, ""},
		{two.Session.String()[:12], "ana-2", true, ""},
		{bo.key.String(), "bo", false, ""},
		{"carla", "carla", false, ""},
		{"carl", "Carl", false, ""},
		{"arla", "carla", false, ""},
		{"arl", "", false, op.Ambiguous},
		{self.Session.String(), "", false, op.Invalid},
		{"nobody", "", false, op.NotFound},
		{"@all", "", false, op.NotFound},
		{"*", "", false, op.NotFound},
		{"", "", false, op.NotFound},
		{"ffffffffffff", "", false, op.NotFound},
	} {
		t.Run(c.target, func(t *testing.T) {
			a, err := ana.Resolve(w.id, self.Session, c.target)
			if op.CodeOf(err) != c.code || a.Name != c.name || a.IsSession != c.session {
				t.Errorf("got %+v, %v", a, err)
			}
			if err != nil && op.AsError(err).Hint == "" {
				t.Errorf("no next step in %v", err)
			}
		})
	}
	_ = carla
}

// Somebody whose session is gone is still found: mail waits for the member.
func TestANameWithoutASessionOnlineMeansTheMember(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.agent(t, "b1")
	w.pass(roster.Lease + roster.Grace)
	a, err := ana.Resolve(w.id, ident.PublicKey{}, "bo")
	if err != nil || a.IsSession || a.Key != bo.key || a.Online {
		t.Errorf("got %+v, %v", a, err)
	}
}

// Whoever names a session after another member gets none of that member's mail.
func TestANameOfAMemberIsThatMembersAlone(t *testing.T) {
	w := newWorld()
	ana, ben, eve := w.person(t, "ana"), w.person(t, "ben"), w.person(t, "eve")
	if _, err := eve.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: "e", Name: "Ben"}); err != nil {
		t.Fatal(err)
	}
	eve.shoutAll(t.Context())
	a, err := ana.Resolve(w.id, ident.PublicKey{}, "ben")
	if err != nil || a.Member != ben.key || a.IsSession {
		t.Errorf("ben is %+v, %v", a, err)
	}
	b, err := ana.Resolve(w.id, ident.PublicKey{}, "Ben (of eve)")
	if err != nil || b.Member != eve.key || !b.IsSession {
		t.Errorf("eve's Ben is %+v, %v", b, err)
	}
}
