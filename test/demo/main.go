// Command demo does the main job of claudemesh for real on this machine: two
// nodes in two home folders, no relay, a mesh, an invite by link, two agents that
// talk over MCP, one that goes away and comes back. It prints what each of them
// types and sees, and exits with 0, or says what failed.
//
// Everything listens on loopback and lies in a temporary folder that is removed.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/test/harness"
)

// limit is how long everything may take, the build aside.
const limit = 20 * time.Second

// errStopped: somebody pressed Ctrl-C.
var errStopped = errors.New("stopped")

func main() {
	bin := flag.String("bin", "", "the `program` to show (default: build it)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, *bin)
	stop()
	os.Exit(code)
}

// run plays the story and returns the exit status.
func run(ctx context.Context, bin string) int {
	t := term.New(term.Config{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv})
	fail := func(doing string, err error, logs string) int {
		t.Blank()
		t.Fail(term.Failure{Code: "internal", Message: doing + ": " + err.Error()})
		for line := range strings.Lines(logs) {
			t.Note("%s", line)
		}
		return 1
	}
	if bin == "" {
		dir, err := os.MkdirTemp("", "cmesh-bin-")
		if err != nil {
			return fail("building", err, "")
		}
		defer os.RemoveAll(dir)
		if bin, err = harness.Build(ctx, dir); err != nil {
			return fail("building", err, "")
		}
	}
	w, err := harness.New(harness.Config{Bin: bin, Limit: 2 * limit})
	if err != nil {
		return fail("making two homes", err, "")
	}
	defer w.Close()
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := &stage{term: t, began: time.Now()}
	err = play(timed, s, w)
	switch {
	case ctx.Err() != nil:
		return fail(s.doing, errStopped, "")
	case err != nil:
		return fail(s.doing, err, w.Logs())
	}
	if err := w.Close(); err != nil {
		return fail("cleaning up", err, "")
	}
	return 0
}
