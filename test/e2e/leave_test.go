package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
)

// The MCP server ends with status 0 before an agent's patience does, which is
// about half a second, whatever it is doing and however it is told.
func TestMCPServerLeavesAtOnce(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	w := newWorld(t)
	ana, err := w.Home(anaName)
	if err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, ana)
	if err := ana.JSON(ctx, &struct{}{}, "new", meshName, "--as", anaName); err != nil {
		t.Fatal(err)
	}
	eof := func(ctx context.Context, a *harness.Agent) error {
		if err := a.EOF(); err != nil {
			return err
		}
		return a.Wait(ctx)
	}
	interrupt := func(ctx context.Context, a *harness.Agent) error { return a.Interrupt(ctx) }
	terminate := func(ctx context.Context, a *harness.Agent) error { return a.Terminate(ctx) }
	leave := func(name string, before func(*harness.Agent), end func(context.Context, *harness.Agent) error) {
		t.Run(name, func(t *testing.T) {
			a := agent(ctx, t, ana, name)
			before(a)
			began := time.Now()
			if err := end(ctx, a); err != nil {
				t.Error(err)
			}
			took := time.Since(began)
			t.Logf("%s: gone after %v", name, took.Round(100*time.Microsecond))
			if took > 9*time.Second {
				t.Error("that is too long")
			}
		})
	}
	feeding := func(a *harness.Agent) { welcomed(ctx, t, a) }
	leave("SIGINT during the grace", func(*harness.Agent) {}, interrupt)
	leave("SIGINT", feeding, interrupt)
	leave("SIGTERM", feeding, terminate)
	leave("end of input", feeding, eof)
	leave("SIGINT without a node", func(a *harness.Agent) { feeding(a); ana.Kill() }, interrupt)
}
