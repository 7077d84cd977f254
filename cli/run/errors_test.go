package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	codes := []op.Code{
		op.NotFound, op.Ambiguous, op.Denied, op.Offline, op.Expired, op.TooLarge,
		op.RateLimited, op.Invalid, op.Conflict, op.Unavailable, op.Internal, Cancelled, ClaudeMissing,
	}
	for _, c := range codes {
		if exits[c] == ExitOK {
			t.Errorf("%s has no exit status", c)
		}
	}
	if len(exits) != len(codes) {
		t.Errorf("%d statuses for %d codes", len(exits), len(codes))
	}
}

func TestErrorsSayTheNextStep(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		code op.Code
		hint string
	}{
		{t.Context(), &daemon.StartError{Failure: daemon.Failure{Message: "x"}}, op.Unavailable, "node logs"},
		{t.Context(), &daemon.StartError{Failure: daemon.Failure{Message: "x"}, Ago: 1e9}, op.Unavailable, "node up"},
		{t.Context(), &daemon.StartError{Failure: daemon.Failure{Code: "conflict", Message: "x", Hint: "do y"}}, op.Conflict, "do y"},
		{t.Context(), &daemon.StartError{Failure: daemon.Failure{Code: "odd", Message: "x", Hint: "do y"}, Ago: 1e9}, op.Unavailable, "do y; then run `claudemesh node up`"},
		{t.Context(), &daemon.HungError{PID: 7}, op.Unavailable, "kill -9 7"},
		{t.Context(), &daemon.ForeignError{PID: 7, Socket: "/s", Why: "it runs x"}, op.Denied, "then remove /s"},
		{t.Context(), &daemon.HungError{}, op.Unavailable, "node run"},
		{t.Context(), fmt.Errorf("%w: /f: odd; move it away", store.ErrBroken), op.Unavailable, "move it away"},
		{t.Context(), fmt.Errorf("%w: /f; use that process", store.ErrLocked), op.Conflict, "use that process"},
		{t.Context(), fmt.Errorf("%w: /f; use the newer", store.ErrNewer), op.Unavailable, "use the newer"},
		{t.Context(), op.Errorf(op.Internal, "%s", store.ErrFull.Error()), op.Unavailable, "free some space"},
		{t.Context(), fmt.Errorf("listen: %w", syscall.EADDRINUSE), op.Unavailable, "another address"},
		{t.Context(), &fs.PathError{Op: "open", Path: "/f", Err: syscall.EACCES}, op.Unavailable, "yours"},
		{t.Context(), &fs.PathError{Op: "write", Path: "/f", Err: syscall.ENOSPC}, op.Unavailable, "free some space"},
		{t.Context(), daemon.ErrManual, op.Unavailable, "node up"},
		{t.Context(), context.DeadlineExceeded, op.Unavailable, "node down"},
		{t.Context(), errors.New("odd"), op.Internal, "node logs"},
		{ended, fmt.Errorf("ask: %w", context.Canceled), Cancelled, ""},
		{t.Context(), op.Errorf(op.Denied, "no").WithHint("ask ana"), op.Denied, "ask ana"},
	} {
		if e := AsError(c.ctx, c.err); e.Code != c.code || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%v: %s, %q", c.err, e.Code, e.Hint)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"send", "send", 0}, {"sned", "send", 1}, {"peer", "peers", 1}, {"add", "odd", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %d", c.a, c.b, got)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		a, b := rapid.String().Draw(r, "a"), rapid.String().Draw(r, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (slices.Equal([]rune(a), []rune(b))) {
			r.Fatalf("distance %d", d)
		}
	})
}
