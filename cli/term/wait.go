package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// How long something may take before a progress line shows: on a terminal, where the line
// goes away again, and elsewhere, where it stays in somebody's log.
const (
	patience    = 40 * time.Millisecond
	logPatience = time.Second
)

// ErrNoAnswer is returned when a question found nobody to answer it.
var ErrNoAnswer = errors.New("nobody answered")

// Progress shows "text …" on stderr if stop is not called within 40 ms, or 1 s where that is
// no terminal. On a terminal the line goes away with stop. Quiet and concurrent use are
// fine; stop may be called more than once.
func (t *Term) Progress(text string) (stop func()) {
	wait := logPatience
	if t.errTTY {
		wait = patience
	}
	timer := time.AfterFunc(wait, func() { t.showProgress(text) })
	return func() {
		timer.Stop()
		t.endProgress()
	}
}

// Working is Progress for what takes long whatever comes: it shows at once.
func (t *Term) Working(text string) (stop func()) {
	t.showProgress(text)
	return t.endProgress
}

func (t *Term) endProgress() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wipe()
}

func (t *Term) showProgress(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.quiet {
		return
	}
	t.wipe()
	line := indent + Dim(t.say(text)+" …").render(t.errHue)
	if t.pending = t.errTTY; !t.pending {
		line += "\n"
	}
	_, _ = io.WriteString(t.err, line)
}

// Choose asks for one of several options and returns its index. Return alone, or
// what is no number of an option, means the first. It fails with ErrNoAnswer, or with
// what ended ctx.
func (t *Term) Choose(ctx context.Context, question string, options []string) (int, error) {
	return t.ChooseOr(ctx, question, options, 0)
}

// ChooseOr is Choose where Return alone, or what is no number of an option, means
// the option of index otherwise.
func (t *Term) ChooseOr(ctx context.Context, question string, options []string, otherwise int) (int, error) {
	if !t.Interactive() {
		return 0, ErrNoAnswer
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", indent, oneLine(question))
	for i, o := range options {
		fmt.Fprintf(&b, "%s%d %s\n", strings.Repeat(indent, 2), i+1, oneLine(o))
	}
	b.WriteString(indent + fmt.Sprintf(t.say("Choice [%d]:"), otherwise+1) + " ")
	t.write(false, b.String())
	line, err := t.line(ctx)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || n < 1 || n > len(options) {
		return otherwise, nil
	}
	return n - 1, nil
}

// Ask asks for a line of text and returns it without its end. It fails with
// ErrNoAnswer where nobody can be asked, or where the input ends, and with what ended ctx.
func (t *Term) Ask(ctx context.Context, question string) (string, error) {
	if !t.Interactive() {
		return "", ErrNoAnswer
	}
	t.write(false, indent+oneLine(question)+" ")
	line, err := t.line(ctx)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// ReadAll reads the whole of stdin, at most limit bytes.
func (t *Term) ReadAll(limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(t.in, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read stdin: %w", err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("stdin has more than %d bytes", limit)
	}
	return text, nil
}
