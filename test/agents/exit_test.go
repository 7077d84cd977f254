//go:build agents

package agents

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
)

// exitLimit is how long the server may take to end after SIGINT: Claude Code kills
// it soon after.
const exitLimit = 400 * time.Millisecond

// busy is from when on a machine has too much to do to say how long a single exit
// takes: on a quiet one `sleep` ends within a tenth of a millisecond.
const busy = 10 * time.Millisecond

// Nothing of ours runs beside it, and the same is done to a process that ends at
// once, so that it measures the server and not the machine.
func TestTheServerEndsAtOnceAfterSIGINT(t *testing.T) {
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	var took, ready, floor []time.Duration
	for n := range 20 {
		a := agent(ctx, t, w.ana, "one")
		if n%4 == 0 { // with an open channel
			_, err := a.Await(ctx, 0, func(c harness.Channel) bool { return c.Kind() == "welcome" })
			must(t, err)
		}
		took, ready = append(took, interrupt(ctx, t, a)), append(ready, a.Ready)
		floor = append(floor, interruptSleep(ctx, t))
	}
	slices.Sort(took)
	slices.Sort(ready)
	slices.Sort(floor)
	t.Logf("from SIGINT to the end, 20 runs: median %v, max %v (of `sleep`: median %v, max %v)", took[10], took[19], floor[10], floor[19])
	t.Logf("from the start to the answer to tools/list: median %v, max %v", ready[10], ready[19])
	switch {
	case took[10] > exitLimit:
		t.Errorf("the server took %v to end in half of the runs", took[10])
	case took[19] > exitLimit && floor[19] > busy:
		t.Logf("the longest says nothing: the machine was busy")
	case took[19] > exitLimit:
		t.Errorf("the server took %v to end", took[19])
	}
}

// interrupt sends SIGINT to a server, which must end with status 0.
func interrupt(ctx context.Context, t *testing.T, a *harness.Agent) time.Duration {
	t.Helper()
	began := time.Now()
	if err := a.Interrupt(ctx); err != nil { // also for a status other than 0
		t.Errorf("%v\n%s", err, a.Tail())
	}
	return time.Since(began)
}

// interruptSleep measures how long this machine takes with a process that does
// nothing at SIGINT but end.
func interruptSleep(ctx context.Context, t *testing.T) time.Duration {
	t.Helper()
	cmd := exec.CommandContext(ctx, "sleep", "60")
	must(t, cmd.Start())
	began := time.Now()
	must(t, cmd.Process.Signal(os.Interrupt))
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("sleep ended with %v", err)
	}
	return time.Since(began)
}

// A tool call that waits for a node which does not answer holds nothing up.
func TestTheServerEndsAtOnceDuringACall(t *testing.T) {
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	a := agent(ctx, t, w.ana, "one")
	_, err := a.CallTool(ctx, "list_peers", nil)
	must(t, err)
	node := w.ana.Node().PID()
	must(t, syscall.Kill(node, syscall.SIGSTOP))
	must(t, harness.Until(ctx, func() (bool, any, error) { // it stops soon after
		out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(node)).Output()
		return strings.HasPrefix(strings.TrimSpace(string(out)), "T"), string(out), err
	}))
	answered := make(chan error, 1)
	go func() {
		r, err := a.CallTool(ctx, "list_peers", nil)
		if err == nil && !r.IsError {
			err = errors.New("a node that was stopped has answered: " + r.Text())
		}
		answered <- err
	}()
	// The server takes requests in order and answers this one at once: when it has, the
	// call, which was written first, has begun.
	_, err = a.Call(ctx, "ping", struct{}{})
	must(t, err)
	took := interrupt(ctx, t, a)
	t.Logf("from SIGINT to the end: %v", took)
	if floor := interruptSleep(ctx, t); took > exitLimit && floor < busy {
		t.Errorf("the server took %v to end", took)
	}
	if err := <-answered; err != nil && !errors.Is(err, harness.ErrGone) { // or told that it failed
		t.Error(err)
	}
	must(t, syscall.Kill(node, syscall.SIGCONT))
}

func TestNoServerIsLeftWhenClaudeEnds(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)

	c := newClaude(ctx, t, w.ana, silent)
	c.run(ctx, "-p", "hello")
	if left := servers(t, w.ana); len(left) > 0 {
		t.Errorf("claude -p has left %v", left)
	}
	terminal := c.interactive(ctx)
	awaitShown(ctx, t, c.api, welcome)
	pid := server(t, w.ana)
	terminal.enter(ctx, "/exit")
	must(t, awaitGone(ctx, terminal.program))
	ended := time.Now()
	must(t, awaitGone(ctx, pid))
	if left := servers(t, w.ana); len(left) > 0 {
		t.Errorf("claude has left %v", left)
	}
	t.Logf("the server was gone %v after claude", time.Since(ended).Round(time.Millisecond))
}

// Claude Code killed: the server sees its stdin end.
func TestNoServerIsLeftWhenClaudeIsKilled(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	c := newClaude(ctx, t, w.ana, silent)
	terminal := c.interactive(ctx)
	awaitShown(ctx, t, c.api, welcome)
	pid := server(t, w.ana)
	must(t, kill(terminal.program))
	must(t, awaitGone(ctx, terminal.program, pid))
	if left := servers(t, w.ana); len(left) > 0 {
		t.Errorf("claude has left %v", left)
	}
}
