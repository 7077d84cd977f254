package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/test/harness"
)

// A session is the same one, with key and name, whatever of it was restarted.
func TestSessionKeepsItsIdentity(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, ana, bo := pair(ctx, t)
	other := agent(ctx, t, ana, "other") // takes the plain name
	awaitPeers(ctx, t, other, "ana")
	session := agent(ctx, t, ana, "before")
	boAgent := agent(ctx, t, bo, "bo's")
	awaitPeers(ctx, t, boAgent, "ana", "ana-2", "bo")
	want := self(ctx, t, session)
	if want.Name != "ana-2" {
		t.Fatalf("the second session is named %q", want.Name)
	}

	same := func(t *testing.T, a *harness.Agent) {
		t.Helper()
		if got := self(ctx, t, a); got.Session != want.Session || got.Name != want.Name {
			t.Errorf("was %s (%s), is %s (%s)", want.Name, want.Session, got.Name, got.Session)
		}
		// It is reached under the name it had.
		welcomed(ctx, t, a)
		hear(ctx, t, a, send(ctx, t, boAgent, "ana-2", "still you?", ""))
	}
	// The agents live as long as the whole test.
	restart := func(id string) {
		session.Kill()
		session = agent(ctx, t, ana, id)
	}
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"agent restarted", func() { restart("before") }},
		{"node killed under it", func() { ana.Kill(); mustStart(ctx, t, ana) }},
		{"node and agent restarted", func() {
			ana.Kill()
			session.Kill()
			mustStart(ctx, t, ana)
			restart("before")
		}},
		{"new id after /clear, server not restarted", func() { alias(ctx, t, ana, "before", "after") }},
		{"agent restarted under the new id", func() { restart("after") }},
		{"node restarted, old id again", func() {
			ana.Kill()
			mustStart(ctx, t, ana)
			restart("before")
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.do()
			same(t, session)
		})
	}
	if got := self(ctx, t, other); got.Name != "ana" {
		t.Errorf("the other session is named %q now", got.Name)
	}
	// Nobody was doubled on the way.
	awaitPeers(ctx, t, boAgent, "ana", "ana-2", "bo")
}

func mustStart(ctx context.Context, t *testing.T, h *harness.Home) {
	t.Helper()
	if err := h.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// alias tells the node that an agent goes on under a new id, as a hook does after
// /clear.
func alias(ctx context.Context, t *testing.T, h *harness.Home, was, is string) {
	t.Helper()
	var out presence.AliasResponse
	if err := h.JSON(ctx, &out, "call", presence.Alias.ID, `{"agent_session":"`+was+`","new":"`+is+`"}`); err != nil {
		t.Fatal(err)
	}
}
