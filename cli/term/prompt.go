package term

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/muesli/cancelreader"
)

// Terminal returns both ends of the terminal that a person sits at, if there is one:
// stdin and stdout.
func (t *Term) Terminal() (in, out *os.File, ok bool) {
	in, okIn := t.in.(*os.File)
	out, okOut := t.out.(*os.File)
	if !okIn || !okOut || !t.inTTY || !t.outTTY || t.IsDocument() {
		return nil, nil, false
	}
	return in, out, true
}

// Hue tells whether stdout takes colour.
func (t *Term) Hue() bool { return t.outHue }

// Prompt asks for a line on a terminal, with an answer that Return alone gives. It fails
// with ErrNoAnswer where nobody is, or with what ended ctx.
func (t *Term) Prompt(ctx context.Context, question, otherwise string) (string, error) {
	if !t.Interactive() {
		return "", ErrNoAnswer
	}
	if otherwise != "" {
		question += " [" + otherwise + "]"
	}
	t.write(false, indent+oneLine(question)+" ")
	line, err := t.line(ctx)
	if err != nil {
		return "", err
	}
	if line = strings.TrimSpace(line); line == "" {
		line = otherwise
	}
	return line, nil
}

// line reads what is typed, until Return or the end of ctx.
func (t *Term) line(ctx context.Context) (string, error) {
	r, err := cancelreader.NewReader(t.in)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	defer r.Close()
	stop := context.AfterFunc(ctx, func() { r.Cancel() })
	defer stop()
	line, err := bufio.NewReader(r).ReadString('\n')
	if ctx.Err() != nil {
		t.write(false, "\n")
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return line, nil
}
