package term

import (
	"io"
	"os"
	"sync"

	xterm "github.com/charmbracelet/x/term"
)

// Guard gives a terminal back as it was found. Whoever changes its modes, or hands it to
// another program, takes a Guard first.
type Guard struct {
	in    *os.File
	state *xterm.State // nil: stdin is no terminal
	out   io.Writer    // nil: stdout is none, or obeys no sequences

	mu   sync.Mutex // guards what follows
	full bool
	done bool
}

// Guard remembers how the terminal is set now.
func (t *Term) Guard() *Guard {
	g := &Guard{}
	if f, ok := t.in.(*os.File); ok && t.inTTY {
		if state, err := xterm.GetState(f.Fd()); err == nil {
			g.in, g.state = f, state
		}
	}
	if t.outTTY && !t.dumb {
		g.out = t.out
	}
	return g
}

// Full tells that a full-screen interface is about to be shown.
func (g *Guard) Full() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.full = true
}

// The sequences by which a terminal is given back, in their order.
const (
	resetShown = "\x1b[0m" + "\x1b[?25h" // no colours, a cursor
	leaveFull  = "\x1b[?1049l"
	resetInput = "\x1b[?1000l" + "\x1b[?1002l" + "\x1b[?1003l" + "\x1b[?1006l" + "\x1b[?2004l" // no mouse, no marks around what is pasted
	wipeAll    = "\x1b[2J" + "\x1b[H"
)

// Reset is the one place where the terminal is given back: before another program gets
// it, and however this one ends. Only the first call does something.
//
// A full-screen interface is left; what it covered comes back, unless another program is
// to begin on an empty screen. Where there was none, nothing is wiped and the cursor
// stays, so that what a person can scroll back to is whole. What was typed for a
// full-screen interface and not read is dropped, as are late answers of the terminal.
func (g *Guard) Reset(forAnother bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.done {
		return
	}
	g.done = true
	if g.out != nil {
		text := resetShown
		if g.full {
			text += leaveFull
		}
		text += resetInput
		if g.full && forAnother {
			text += wipeAll
		}
		_, _ = io.WriteString(g.out, text) // a terminal that has gone needs nothing
	}
	if g.state == nil {
		return
	}
	if g.full {
		dropInput(g.in)
	}
	_ = xterm.Restore(g.in.Fd(), g.state)
}
