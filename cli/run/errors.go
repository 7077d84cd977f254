package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/store"
)

// Exit statuses, as scripts know them.
const (
	ExitOK          = 0
	ExitCancelled   = 1
	ExitAuth        = 2
	exitInvalidArgs = 3
	ExitNetwork     = 4
	ExitNotFound    = 5
	ExitExists      = 6
	ExitDenied      = 7
	ExitInternal    = 8
	ExitNoClaude    = 9
)

// exits is the one table from error codes to exit statuses.
var exits = map[op.Code]int{
	op.NotFound:    ExitNotFound,
	op.Ambiguous:   exitInvalidArgs,
	op.Denied:      ExitDenied,
	op.Offline:     ExitNetwork,
	op.Expired:     ExitAuth,
	op.TooLarge:    exitInvalidArgs,
	op.RateLimited: ExitNetwork,
	op.Invalid:     exitInvalidArgs,
	op.Conflict:    ExitExists,
	op.Unavailable: ExitNetwork,
	op.Internal:    ExitInternal,
	Cancelled:      ExitCancelled,
	ClaudeMissing:  ExitNoClaude,
}

// Cancelled is a person's Ctrl-C, which no operation ever answers.
const Cancelled op.Code = "cancelled"

// ClaudeMissing is a machine without Claude Code.
const ClaudeMissing op.Code = "claude_missing"

// Verdict is the exit status of a command that has shown its answer, where that
// answer is no success.
type Verdict int

// Error is for nobody: who meets a verdict exits with it.
func (v Verdict) Error() string { return fmt.Sprintf("exit status %d", int(v)) }

// Fail reports an error and returns the exit status.
func (a *App) Fail(ctx context.Context, err error) int {
	e := AsError(ctx, err)
	message, hint := e.In(a.Term.Say)
	a.Term.Fail(term.Failure{Code: string(e.Code), Message: e.Message, Hint: e.Hint, Shown: message, ShownHint: hint})
	return Status(e.Code)
}

// Status is the exit status of a failure with that code.
func Status(code op.Code) int {
	if s, ok := exits[code]; ok {
		return s
	}
	return ExitInternal
}

// isOperation tells whether a word is the id of an operation, as requests of another shape
// are refused under it.
func isOperation(id string) bool {
	return slices.ContainsFunc(node.Catalogue(), func(c op.Contract) bool { return c.ID == id })
}

// AsError gives every error a code and, where the command line knows better than
// the operation, the next step.
func AsError(ctx context.Context, err error) *op.Error {
	var start *daemon.StartError
	var hung *daemon.HungError
	var foreign *daemon.ForeignError
	switch {
	case errors.As(err, &start):
		return notStarted(start)
	case errors.As(err, &hung) && hung.PID == 0:
		return op.Errorf(op.Unavailable, "%w", err).WithHint("end its process `claudemesh node run`, then try again")
	case errors.As(err, &hung):
		return op.Errorf(op.Unavailable, "%w", err).
			WithHint("run `claudemesh node down --force` to end it, or `kill -9 %d`", hung.PID)
	case errors.As(err, &foreign):
		return op.Errorf(op.Denied, "%w", err).
			WithHint("it was not ended: find out what it is and end it yourself, then remove %s", foreign.Socket)
	case errors.Is(err, daemon.ErrManual):
		return op.Errorf(op.Unavailable, "no node runs, and %s=0 keeps commands from starting one", EnvAutoStart).
			WithHint("run `claudemesh node up`, or start the service that runs it")
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return op.Errorf(Cancelled, "interrupted")
	case errors.Is(err, context.DeadlineExceeded):
		return op.Errorf(op.Unavailable, "the node did not answer in time").
			WithHint("`claudemesh node logs` tells what it is doing, `claudemesh node down` ends it")
	}
	e := op.AsError(err)
	if id, _, named := strings.Cut(e.Message, ": "); named && e.Hint == "" && e.Code == op.Invalid && isOperation(id) {
		// Agents are told of the arguments of their tool instead.
		return e.WithHint("`claudemesh call %s --schema` shows what it takes", id)
	}
	if e.Hint == "" && e.Code == op.Internal {
		return Explain(e)
	}
	return e
}

// notStarted is the failure of a start, with what the node itself said about it.
func notStarted(start *daemon.StartError) *op.Error {
	code, hint := op.Code(start.Code), start.Hint
	if _, known := exits[code]; !known {
		code = op.Unavailable
	}
	if hint == "" {
		hint = "run `claudemesh node logs` to see why"
	}
	// What the node said is no argument: it may be a text that is said otherwise.
	if start.Ago > 0 {
		return op.Errorf(code, "the node did not start %d s ago: %s", int(start.Ago.Seconds()), op.Word(start.Message)).
			WithHint("%s; then run `claudemesh node up`, which tries again at once", op.Word(hint))
	}
	return op.Errorf(code, "the node did not start: %s", op.Word(start.Message)).WithHint("%s", op.Word(hint))
}

// Explain gives a code and a next step to failures that name none: those of the
// disk and of the system, which are no faults of ours.
func Explain(e *op.Error) *op.Error {
	is := func(target error) bool {
		// What a node answered has lost its causes, not its text.
		return errors.Is(e, target) || strings.Contains(e.Message, target.Error())
	}
	coded := func(code op.Code, hint string) *op.Error {
		return op.Errorf(code, "%w", e).WithHint("%s", op.Word(hint))
	}
	switch {
	case errors.Is(e, term.ErrWrite):
		return coded(op.Internal, "give it another place to write to")
	case is(local.ErrRunning):
		return coded(op.Conflict, "`claudemesh node status` shows it, `claudemesh node down` ends it")
	case is(local.ErrNotPrivate), is(local.ErrNotSocket), is(node.ErrConfig):
		return coded(op.Invalid, "put that right, then run `claudemesh node up`")
	case is(store.ErrLocked):
		return split(op.Conflict, e)
	case is(store.ErrBroken), is(store.ErrNewer), is(store.ErrFailed):
		return split(op.Unavailable, e)
	case is(store.ErrFull):
		full := coded(op.Unavailable, "free some space, then try again")
		full.Message = strings.ReplaceAll(e.Message, store.ErrFull.Error(), "the disk is full, nothing was stored")
		return full
	case is(syscall.ENOSPC):
		return coded(op.Unavailable, "free some space on the disk, then try again")
	case is(syscall.EADDRINUSE), is(syscall.EADDRNOTAVAIL):
		return op.Errorf(op.Unavailable, "%w", e).WithHint("give it another address to listen on: --listen, %s or node.listen in config.json", settings.EnvListen)
	case is(syscall.EROFS), errors.Is(e, fs.ErrPermission):
		return coded(op.Unavailable, "the claudemesh folder and all in it must be yours to read and write")
	}
	return e.WithHint("this should not happen: run `claudemesh node logs` and report what it says")
}

// split takes the next step out of the sentence of a store's error, where it stands
// behind the last semicolon.
func split(code op.Code, e *op.Error) *op.Error {
	i := strings.LastIndex(e.Message, "; ")
	if i < 0 {
		return op.Errorf(code, "%w", e).WithHint("`claudemesh node logs` has more")
	}
	c := op.Errorf(code, "%w", e)
	c.Message = e.Message[:i]
	return c.WithHint("%s", op.Word(e.Message[i+len("; "):]))
}

// Usage is the error of a command that was typed wrong.
func Usage(hint, format string, args ...any) error {
	return op.Errorf(op.Invalid, format, args...).WithHint("%s", op.Word(hint))
}

// OrNearest is a hint with the word that may have been meant, if there is one.
func OrNearest(near string, hint op.Phrase) op.Phrase {
	if near == "" {
		return hint
	}
	return op.Phrasef("did you mean %s? Else %s", near, hint)
}

// Nearest returns the candidate that is most like word, or "".
func Nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, least := "", 2*max(2, len(word)/3)+1
	for _, c := range candidates {
		// Twice the distance, so that a first letter that agrees can decide.
		d := 2 * distance(word, c)
		if len(word) > 1 && strings.HasPrefix(c, word) {
			d = min(d, 2)
		}
		if word != "" && !strings.HasPrefix(c, word[:1]) {
			d++
		}
		if d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is how many characters must be added, dropped, changed or swapped with
// their neighbour to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, row := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		last := row
		row = make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			same := 1
			if x[i] == y[j] {
				same = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+same)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before = last
	}
	return row[len(y)]
}

// NothingDone is how a command ends that a person called off.
func NothingDone() error { return op.Errorf(Cancelled, "nothing was changed") }
