package term

import (
	"errors"
	"os"
	"strings"
	"unicode/utf8"

	xterm "github.com/charmbracelet/x/term"
	"github.com/mdp/qrterminal/v3"
)

// ErrNoRoom means that the terminal is too narrow for a QR code of the text, or that
// no QR code holds so much.
var ErrNoRoom = errors.New("the terminal is too narrow for a QR code")

// maxQR is the longest text that is made a QR code of, in bytes. Some more would fit,
// but on no terminal.
const maxQR = 1500

// QR prints a QR code of a text on stdout, two rows of it to a line. On a terminal it
// must fit (ErrNoRoom); elsewhere there is no width to fit into.
func (t *Term) QR(text string) error {
	if len(text) > maxQR {
		return ErrNoRoom
	}
	var b strings.Builder
	qrterminal.GenerateHalfBlock(text, qrterminal.L, &b)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if width := t.width(); width > 0 && len(indent)+utf8.RuneCountInString(lines[0]) > width {
		return ErrNoRoom
	}
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(indent)
		if t.outHue { // white on black, whatever the terminal's own colours are
			line = "\x1b[97;40m" + line + "\x1b[0m"
		}
		out.WriteString(line + "\n")
	}
	t.write(true, out.String())
	return nil
}

// width is how many columns stdout has, 0 where it is no terminal.
func (t *Term) width() int {
	f, ok := t.out.(*os.File)
	if !ok || !t.outTTY {
		return 0
	}
	width, _, err := xterm.GetSize(f.Fd())
	if err != nil {
		return 0
	}
	return width
}
