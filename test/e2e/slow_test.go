package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/test/harness"
)

// slowness is how long a node does not answer: longer than a probe that would take
// it for dead.
const slowness = 2 * time.Second

// byItself has commands start the node they need.
var byItself = []string{"CLAUDEMESH_AUTOSTART="}

// Bug catalogue, line 18: a node that does not answer for a while, as on a machine
// that is busy, is waited for. It is neither reported dead nor started twice.
func TestASlowNodeIsWaitedFor(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	h, err := newWorld(t).Home(anaName)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Node().Pause(); err != nil {
		t.Fatal(err)
	}
	answersLate(ctx, t, h)
}

// The same while it starts: somebody else, as a service manager, has started it, it
// holds its store, and it does not listen yet.
func TestASlowStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	h, err := newWorld(t).Home(anaName)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Launch()
	if err != nil {
		t.Fatal(err)
	}
	// Stopped before it holds the store it would be no node yet.
	err = harness.Until(ctx, func() (bool, any, error) {
		if err := p.Pause(); err != nil {
			return false, nil, err
		}
		held := node.ExamineStore(h.Dir)
		if errors.Is(held, store.ErrLocked) {
			return true, nil, nil
		}
		return false, held, p.Resume()
	})
	if err != nil {
		t.Fatal(err)
	}
	answersLate(ctx, t, h)
}

// answersLate runs a command while the node is stopped, lets it go on, and wants the
// command to have its answer from this very node.
func answersLate(ctx context.Context, t *testing.T, h *harness.Home) {
	t.Helper()
	type result struct {
		out harness.Output
		err error
	}
	t.Cleanup(func() { endAnother(t, h) })
	done := make(chan result, 1)
	go func() {
		out, err := h.CommandEnv(ctx, byItself, "peers", "--json")
		done <- result{out, err}
	}()
	timer := time.NewTimer(slowness)
	defer timer.Stop()
	var early bool
	select {
	case r := <-done:
		done <- r
		early = true
	case <-timer.C:
	}
	if err := h.Node().Resume(); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if r.err != nil || r.out.Status != 0 || early {
		t.Fatalf("the command did not wait: %+v, %v", r.out, r.err)
	}
	hello, err := h.API().Hello(ctx)
	if err != nil || hello.PID != h.Node().PID() {
		t.Fatalf("process %d answers, not %d: %v", hello.PID, h.Node().PID(), err)
	}
}

// endAnother ends the node that a command has started beside the one that the test has, if
// the test failed because of that: the harness knows nothing of it.
func endAnother(t *testing.T, h *harness.Home) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := h.Command(ctx, "node", "down", "--force"); err != nil {
		t.Logf("another node may be left: %v\n%s", err, out.Stderr)
	}
}
