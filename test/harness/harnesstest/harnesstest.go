// Package harnesstest puts the harness into tests: the program is built once for all tests
// of a package, and what a test makes ends with it. It holds what every such package asks
// of a test (no goroutine is left, a server keeps to its protocol, a failed test shows its
// logs), and nothing about what the program does.
package harnesstest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/test/harness"
)

// building is how long the program may take to be built, with cold caches and the race
// detector.
const building = 5 * time.Minute

// Main builds the program, puts its path into bin, prepares what else the tests of a package
// need in a folder that is removed with it, runs them and ends the process. A goroutine that
// is left makes it fail.
func Main(m *testing.M, bin *string, prepare ...func(dir string) error) {
	dir, err := os.MkdirTemp("", "cmesh-bin-")
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), building)
		*bin, err = harness.Build(ctx, dir)
		cancel()
	}
	for _, do := range prepare {
		if err == nil {
			err = do(dir)
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir) // a temporary folder
		os.Exit(code)
	}))
}

// World makes a world that ends with the test. A failed test shows its logs;
// CLAUDEMESH_KEEP=1 keeps its files.
func World(t *testing.T, cfg harness.Config) *harness.World {
	t.Helper()
	cfg.Keep = cfg.Keep || os.Getenv("CLAUDEMESH_KEEP") == "1"
	w, err := harness.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the ends of the logs in %s:\n%s", w.Root(), w.Logs())
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Agent starts an agent that ends with the test, and whose server must keep to the
// protocol for its whole life.
func Agent(ctx context.Context, t *testing.T, h *harness.Home, session string) *harness.Agent {
	t.Helper()
	a, err := h.Agent(ctx, harness.AgentConfig{Session: session})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Kill()
		if err := a.Breach(); err != nil {
			t.Error(err)
		}
	})
	return a
}
