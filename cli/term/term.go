package term

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	xterm "github.com/charmbracelet/x/term"
)

// The marks that lines begin with.
const (
	OK   = "✔"
	Bad  = "✘"
	Care = "⚠"
	To   = "→"
	Dot  = "●"
	// Here marks what would be chosen, Ask what is still open, Busy what is under way.
	Here  = "▶"
	Open  = "▸"
	Busy  = "◆"
	Point = "•"
	// Brick is what the brand mark is made of.
	Brick = "█"
)

// indent begins every line meant for people.
const indent = "  "

// Config is what a Term prints to and reads from.
type Config struct {
	In       io.Reader
	Out, Err io.Writer
	// Getenv reads NO_COLOR and TERM.
	Getenv func(string) string
	// Say gives a text of the program in the person's language; nil leaves it as it is.
	Say func(text string) string
}

// Term prints for one process. It is safe for concurrent use.
type Term struct {
	in              io.Reader
	out, err        io.Writer
	say             func(string) string
	outTTY, errTTY  bool
	inTTY           bool
	outHue, errHue  bool
	dumb            bool       // TERM=dumb: it obeys no sequences
	mu              sync.Mutex // guards what is printed, quiet, json and pending
	quiet, document bool
	pending         bool  // a progress line stands on stderr
	failed          error // why stdout could not be written, the first time
}

// ErrWrite means that text for stdout could not be written.
var ErrWrite = errors.New("stdout cannot be written")

// New looks at the streams and the environment; it prints nothing.
func New(c Config) *Term {
	t := &Term{in: c.In, out: c.Out, err: c.Err, say: c.Say, dumb: c.Getenv("TERM") == "dumb"}
	if t.say == nil {
		t.say = func(text string) string { return text }
	}
	hue := c.Getenv("NO_COLOR") == "" && !t.dumb
	t.inTTY, t.outTTY, t.errTTY = isTTY(c.In), isTTY(c.Out), isTTY(c.Err)
	t.outHue, t.errHue = hue && t.outTTY, hue && t.errTTY
	return t
}

// isTTY tells whether a stream is a terminal.
func isTTY(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && xterm.IsTerminal(f.Fd())
}

// Quiet suppresses notes and progress, for --quiet.
func (t *Term) Quiet(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.quiet = on
}

// Document suppresses all text on stdout but JSON documents, for --json.
func (t *Term) Document(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.document = on
}

// IsDocument tells whether the caller must print a document.
func (t *Term) IsDocument() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.document
}

// Interactive tells whether a person sits at both ends, so that a question can be
// asked.
func (t *Term) Interactive() bool { return t.inTTY && t.errTTY && !t.IsDocument() }

// OutTTY tells whether stdout is a terminal.
func (t *Term) OutTTY() bool { return t.outTTY }

// ErrTTY tells whether stderr is a terminal.
func (t *Term) ErrTTY() bool { return t.errTTY }

// Say gives a text of the program in the person's language.
func (t *Term) Say(text string) string { return t.say(text) }

// text fills in a format in the person's language.
func (t *Term) text(hue bool, format string, args ...any) string {
	if false {
		_ = fmt.Sprintf(format, args...) // by this go vet knows to check the callers' formats
	}
	return fmt.Sprintf(t.say(format), render(args, hue, t.say)...)
}

// Line prints one indented line on stdout, in the person's language. String arguments lose their control
// characters and line breaks; [Styled] ones are coloured where colour is on.
func (t *Term) Line(format string, args ...any) {
	t.write(true, indent+t.text(t.outHue, format, args...)+"\n")
}

// Blank prints an empty line on stdout.
func (t *Term) Blank() { t.write(true, "\n") }

// Block prints text of several lines on stdout, each indented by depth steps.
func (t *Term) Block(depth int, text string) { t.write(true, block(depth, text)) }

// Bare prints text and a line break on stdout without indenting, for what other
// programs read: a link, a version.
func (t *Term) Bare(text string) { t.write(true, Clean(text)+"\n") }

// Note prints one line on stderr, in the person's language, unless quiet.
func (t *Term) Note(format string, args ...any) {
	if t.muted() {
		return
	}
	t.write(false, indent+t.text(t.errHue, format, args...)+"\n")
}

// Warn prints one warning line on stderr, in the person's language.
func (t *Term) Warn(format string, args ...any) {
	mark := Yellow(Care).render(t.errHue)
	t.write(false, indent+mark+" "+t.text(t.errHue, format, args...)+"\n")
}

// Copy passes the lines of a text file, such as a log, to stdout, as long as that
// takes them.
func (t *Term) Copy(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			t.write(true, Clean(line))
		}
		if failed := t.Err(); failed != nil {
			return failed
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}

func (t *Term) muted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.quiet
}

// Err tells why something for stdout could not be written (ErrWrite), or nil. What
// came after it was not written either.
func (t *Term) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// Shown is Err for text that must not get lost: it also fails where there is no
// stdout at all. A stdout that leads to the null device on purpose is fine.
func (t *Term) Shown() error {
	if err := t.Err(); err != nil {
		return err
	}
	if f, ok := t.out.(*os.File); ok && closed(f) {
		return fmt.Errorf("%w: it is closed", ErrWrite)
	}
	return nil
}

// write prints text whole, after wiping a progress line. That stdout fails is kept
// for Err; when stderr does, nobody is left to be told.
func (t *Term) write(out bool, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wipe()
	switch {
	case !out:
		_, _ = io.WriteString(t.err, text)
	case !t.document:
		_ = t.put([]byte(text))
	}
}

// put writes to stdout until that fails once. The caller holds mu.
func (t *Term) put(text []byte) error {
	if t.failed != nil {
		return t.failed
	}
	if _, err := t.out.Write(text); err != nil {
		t.failed = fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return t.failed
}

// wipe takes a progress line off the terminal. The caller holds mu.
func (t *Term) wipe() {
	if t.pending {
		t.pending = false
		_, _ = io.WriteString(t.err, "\r\x1b[K")
	}
}
