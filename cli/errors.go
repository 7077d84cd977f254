package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
)

// Exit statuses, as scripts know them.
const (
	exitOK          = 0
	exitCancelled   = 1
	exitAuth        = 2
	exitInvalidArgs = 3
	exitNetwork     = 4
	exitNotFound    = 5
	exitExists      = 6
	exitDenied      = 7
	exitInternal    = 8
)

// exits is the one table from error codes to exit statuses.
var exits = map[op.Code]int{
	op.NotFound:    exitNotFound,
	op.Ambiguous:   exitInvalidArgs,
	op.Denied:      exitDenied,
	op.Offline:     exitNetwork,
	op.Expired:     exitAuth,
	op.TooLarge:    exitInvalidArgs,
	op.RateLimited: exitNetwork,
	op.Invalid:     exitInvalidArgs,
	op.Conflict:    exitExists,
	op.Unavailable: exitNetwork,
	op.Internal:    exitInternal,
	cancelled:      exitCancelled,
}

// cancelled is a person's Ctrl-C, which no operation ever answers.
const cancelled op.Code = "cancelled"

// fail reports an error and returns the exit status.
func (a *app) fail(ctx context.Context, err error) int {
	e := asError(ctx, err)
	a.term.Fail(term.Failure{Code: string(e.Code), Message: e.Message, Hint: e.Hint})
	if code, ok := exits[e.Code]; ok {
		return code
	}
	return exitInternal
}

// asError gives every error a code and, where the command line knows better than
// the operation, the next step.
func asError(ctx context.Context, err error) *op.Error {
	var start *daemon.StartError
	switch {
	case errors.As(err, &start) && start.Ago > 0:
		return op.Errorf(op.Unavailable, "%w", err).
			WithHint("run `claudemesh node up` to try again at once, `claudemesh node logs` to see why")
	case errors.As(err, &start):
		return op.Errorf(op.Unavailable, "%w", err).WithHint("run `claudemesh node logs` to see why")
	case errors.Is(err, daemon.ErrManual):
		return op.Errorf(op.Unavailable, "no node runs, and %s=0 keeps commands from starting one", envAutoStart).
			WithHint("run `claudemesh node up`, or start the service that runs it")
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return op.Errorf(cancelled, "interrupted")
	case errors.Is(err, context.DeadlineExceeded):
		return op.Errorf(op.Unavailable, "the node did not answer in time").
			WithHint("run `claudemesh node status`; `claudemesh node logs` tells what it is doing")
	}
	e := op.AsError(err)
	if e.Hint == "" && e.Code == op.Internal {
		e = e.WithHint("this should not happen: run `claudemesh node logs` and report what it says")
	}
	return e
}

// usage is the error of a command that was typed wrong.
func usage(hint, format string, args ...any) error {
	return op.Errorf(op.Invalid, "%s", fmt.Sprintf(format, args...)).WithHint("%s", hint)
}

// nearest returns the candidate that is most like word, or "".
func nearest(word string, candidates []string) string {
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
