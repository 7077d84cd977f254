package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// busy is a way to be busy, and to be idle again.
type busy struct {
	status string
	begin  func(context.Context, *testing.T, *gated)
	// not does not end it, end does.
	not, end func(context.Context, *testing.T, *gated)
}

// gated is the session that is busy.
type gated struct {
	home    *harness.Home
	agent   *harness.Agent
	session string
}

// ways are how a session's status comes about.
var ways = map[string]busy{
	"working, says the agent": {"working",
		func(ctx context.Context, t *testing.T, g *gated) { g.set(ctx, t, "working") },
		func(ctx context.Context, t *testing.T, g *gated) { g.report(ctx, t, "working", "working") },
		func(ctx context.Context, t *testing.T, g *gated) { g.set(ctx, t, "idle") },
	},
	"working, saw a hook": {"working",
		func(ctx context.Context, t *testing.T, g *gated) { g.report(ctx, t, "working", "working") },
		func(ctx context.Context, t *testing.T, g *gated) { g.set(ctx, t, "working") },
		func(ctx context.Context, t *testing.T, g *gated) { g.report(ctx, t, "idle", "idle") },
	},
	"dnd": {"dnd",
		func(ctx context.Context, t *testing.T, g *gated) { g.set(ctx, t, "dnd") },
		func(ctx context.Context, t *testing.T, g *gated) {
			g.report(ctx, t, "working", "dnd")
			g.report(ctx, t, "idle", "dnd")
		},
		func(ctx context.Context, t *testing.T, g *gated) { g.set(ctx, t, "idle") },
	},
}

// While a session is working or dnd, next waits and arrives at the change to idle, now
// arrives at once, low only when asked; also if its node is stopped or killed in
// between.
func TestStatusGate(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]func(context.Context, *harness.Home) error{
		"all the time": func(context.Context, *harness.Home) error { return nil },
		"stopped": func(ctx context.Context, h *harness.Home) error {
			if err := h.Stop(ctx); err != nil {
				return err
			}
			return h.Start(ctx)
		},
		"killed": func(ctx context.Context, h *harness.Home) error {
			h.Kill()
			return h.Start(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, 3*time.Minute)
			_, ana, bo := pair(ctx, t)
			for way, b := range ways {
				t.Run(way, func(t *testing.T) {
					g := &gated{home: bo, agent: agent(ctx, t, bo, way), session: way}
					welcomed(ctx, t, g.agent)
					g.play(ctx, t, ana, b, restart)
				})
			}
		})
	}
}

// play is one history of a busy session.
func (g *gated) play(ctx context.Context, t *testing.T, from *harness.Home, b busy, restart func(context.Context, *harness.Home) error) {
	key := self(ctx, t, g.agent).Session
	again := func() {
		if err := restart(ctx, g.home); err != nil {
			t.Fatal(err)
		}
	}
	b.begin(ctx, t, g)
	again()
	next, low := mail(ctx, t, from, key, message.Next), mail(ctx, t, from, key, message.Low)
	at := time.Now()
	now := mail(ctx, t, from, key, message.Now)
	c := hear(ctx, t, g.agent, now)
	t.Logf("now: pushed after %v", c.At.Sub(at).Round(time.Millisecond))
	for _, id := range []string{next, low, now} {
		awaitState(ctx, t, from, id, message.Delivered, message.Seen)
	}
	again()
	// What is pushed after the restart comes when the gate was looked at.
	hear(ctx, t, g.agent, mail(ctx, t, from, key, message.Now))
	if s := self(ctx, t, g.agent).Status; s != b.status {
		t.Errorf("status %s, want %s", s, b.status)
	}
	g.quiet(t, next, low)
	b.not(ctx, t, g)
	at = time.Now()
	b.end(ctx, t, g)
	c = hear(ctx, t, g.agent, next)
	t.Logf("next: pushed %v after the change", c.At.Sub(at).Round(time.Millisecond))
	if c.At.Before(at) {
		t.Error("next was pushed before the change to idle")
	}
	hear(ctx, t, g.agent, mail(ctx, t, from, key, message.Next))
	g.quiet(t, low)
	out := check(ctx, t, g.agent, false)
	if len(out.Messages) != 1 || out.Messages[0].ID != low {
		t.Errorf("asked, and got %+v, want %s", out.Messages, low)
	}
	if got := heard(g.agent); len(got) != 4 {
		t.Errorf("%d messages were pushed, want now twice and next twice", len(got))
	}
}

// quiet wants none of the messages to have been pushed.
func (g *gated) quiet(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range heard(g.agent) {
		if slices.Contains(ids, id) {
			t.Errorf("message %s was pushed", id)
		}
	}
}

// set has the agent say its status.
func (g *gated) set(ctx context.Context, t *testing.T, status string) {
	t.Helper()
	_, err := harness.Tool[presence.SetStatusResponse](ctx, g.agent, "set_status", map[string]any{"status": status})
	if err != nil {
		t.Fatal(err)
	}
}

// report is what a hook says. want is the status then.
func (g *gated) report(ctx context.Context, t *testing.T, status, want string) {
	t.Helper()
	out, err := presence.Report.Call(ctx, g.home.API(), op.Caller{}, presence.ReportRequest{AgentSession: g.session, Status: status})
	if err != nil || !out.Found || out.Status != want {
		t.Fatalf("report of %s: %+v, %v; want %s", status, out, err, want)
	}
}

// mail sends as the person at a home's terminal.
func mail(ctx context.Context, t *testing.T, h *harness.Home, to string, p message.Priority) string {
	t.Helper()
	out, err := message.Send.Call(ctx, h.API(), op.Caller{}, message.SendRequest{To: message.Targets{to}, Message: string(p), Priority: p})
	if err != nil {
		t.Fatal(err)
	}
	return out.ID
}
