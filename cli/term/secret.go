package term

import (
	"context"
	"fmt"
	"os"

	xterm "github.com/charmbracelet/x/term"
)

// Secret asks for a line that is not shown while it is typed, such as a passphrase.
// Without a person at both ends it fails with ErrNoAnswer. When ctx ends first it fails
// with what ended it, and what is typed shows again; the process must end then, as
// something in it still reads.
func (t *Term) Secret(ctx context.Context, question string) (string, error) {
	f, ok := t.in.(*os.File)
	if !ok || !t.inTTY || !t.errTTY {
		return "", ErrNoAnswer
	}
	before, err := xterm.GetState(f.Fd())
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	t.write(false, indent+oneLine(question)+" ")
	type answer struct {
		line []byte
		err  error
	}
	typed := make(chan answer, 1)
	// A terminal without echo is read by a system call that nothing interrupts.
	go func() {
		line, err := xterm.ReadPassword(f.Fd())
		typed <- answer{line, err}
	}()
	select {
	case a := <-typed:
		t.write(false, "\n")
		if a.err != nil {
			return "", fmt.Errorf("%w: %w", ErrNoAnswer, a.err)
		}
		return string(a.line), nil
	case <-ctx.Done():
		if err := xterm.Restore(f.Fd(), before); err != nil {
			return "", err
		}
		t.write(false, "\n")
		return "", context.Cause(ctx)
	}
}
