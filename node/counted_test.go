package node

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
)

type nothing struct{}

// Tools that sessions call are counted, with their failures; nothing else is.
func TestCallsOfToolsAreCounted(t *testing.T) {
	fails := func(err error) func(context.Context, op.Caller, nothing) (nothing, error) {
		return func(context.Context, op.Caller, nothing) (nothing, error) { return nothing{}, err }
	}
	set := optest.Set(t,
		op.Spec[nothing, nothing]{ID: "a.tool", Names: op.Names{Tool: "a"}}.Bind(fails(nil)),
		op.Spec[nothing, nothing]{ID: "a.bad", Names: op.Names{Tool: "b"}}.Bind(fails(op.Errorf(op.NotFound, "no"))),
		op.Spec[nothing, nothing]{ID: "a.plain"}.Bind(fails(nil)),
	)
	calls, errors := 0, 0
	c := newCounted(set, set.Contracts(), func(session string, in, out, n, bad int) {
		if session != "s" || in != 0 || out != 0 {
			t.Errorf("%q, %d, %d", session, in, out)
		}
		calls, errors = calls+n, errors+bad
	})
	for _, caller := range []op.Caller{{Session: "s"}, {User: true}} {
		for _, id := range []string{"a.tool", "a.bad", "a.plain", "a.gone"} {
			_, err := c.Do(t.Context(), caller, id, json.RawMessage(`{}`))
			if (err != nil) != (id == "a.bad" || id == "a.gone") {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	if calls != 2 || errors != 1 {
		t.Errorf("%d calls, %d errors", calls, errors)
	}
}
