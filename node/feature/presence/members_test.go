package presence

import (
	"context"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
)

func TestMembersAreListedWithOrWithoutASession(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	w.person(t, "cy")
	bo.agent(t, "b1")
	out, err := Members.Call(t.Context(), setOf(t, ana), op.Caller{User: true}, MembersRequest{})
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

// setOf makes a person's operations callable.
func setOf(t *testing.T, p *person) *op.Set {
	t.Helper()
	allow := func(_ context.Context, _ op.Caller, _ op.Contract) error { return nil }
	s, err := op.NewSet(allow, p.Ops()...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
