package term

import (
	"fmt"
	"os"

	xterm "github.com/charmbracelet/x/term"
)

// Secret asks for a line that is not shown while it is typed, such as a passphrase.
// Without a person at both ends it fails with ErrNoAnswer.
func (t *Term) Secret(question string) (string, error) {
	f, ok := t.in.(*os.File)
	if !ok || !t.inTTY || !t.errTTY {
		return "", ErrNoAnswer
	}
	t.write(false, indent+oneLine(question)+" ")
	line, err := xterm.ReadPassword(f.Fd())
	t.write(false, "\n")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return string(line), nil
}
