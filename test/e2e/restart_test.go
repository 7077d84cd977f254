package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/op"
)

// B's node is stopped, A sends, A's node is killed, both start again: B's agent,
// which ran on, gets the message once.
func TestDeliveredOnceAfterBothNodesWereGone(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, ana, bo := pair(ctx, t)
	boAgent := agent(ctx, t, bo, "bo's")
	welcomed(ctx, t, boAgent)
	if err := bo.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	var sent message.SendResponse
	if err := ana.JSON(ctx, &sent, "send", "bo", "are", "you", "there?"); err != nil {
		t.Fatal(err)
	}
	if s, err := stateOf(ctx, ana, sent.ID); err != nil || s != message.Queued {
		t.Fatalf("state %q, %v", s, err)
	}
	ana.Kill()
	for _, h := range []func() error{func() error { return ana.Start(ctx) }, func() error { return bo.Start(ctx) }} {
		if err := h(); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	c := hear(ctx, t, boAgent, sent.ID)
	t.Logf("pushed %v after both nodes were back", c.At.Sub(began).Round(time.Millisecond))
	awaitState(ctx, t, ana, sent.ID, message.Delivered)

	// Once more both go, and nothing comes again: what comes next comes alone.
	ana.Kill()
	bo.Kill()
	if err := bo.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := ana.Start(ctx); err != nil {
		t.Fatal(err)
	}
	out, err := message.Send.Call(ctx, ana.API(), op.Caller{}, message.SendRequest{To: message.Targets{"bo"}, Message: "still there?"})
	if err != nil {
		t.Fatal(err)
	}
	hear(ctx, t, boAgent, out.ID)
	if got := heard(boAgent); !slices.Equal(got, []string{sent.ID, out.ID}) {
		t.Errorf("heard %v, want %s and %s", got, sent.ID, out.ID)
	}
	r := check(ctx, t, boAgent, false)
	if len(r.Messages) > 0 {
		t.Errorf("what was pushed waits as well: %+v", r.Messages)
	}
	for _, m := range check(ctx, t, boAgent, true).Messages {
		if !m.AgainOffered {
			t.Errorf("%s is shown a second time without saying so", m.ID)
		}
	}
}
