package term_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/cli/term"
)

// The code is a square of blocks with a light margin, which shows that it stands on
// its own lines and lacks none.
func TestQR(t *testing.T) {
	tm, out, _ := newTerm("")
	if err := tm.QR("claudemesh://join/" + strings.Repeat("a", 200)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	width := utf8.RuneCountInString(lines[0])
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n != width || !strings.HasPrefix(line, "  █") && !strings.HasPrefix(line, "  ▀") {
			t.Errorf("line %d has %d characters, not %d: %q", i, n, width, line)
		}
	}
	if half := (width - 2 + 1) / 2; len(lines) < half-1 || len(lines) > half+1 {
		t.Errorf("%d lines of %d characters", len(lines), width)
	}
	if strings.ContainsAny(out.String(), "\x1b") {
		t.Error("coloured without a terminal")
	}
}

func TestNoQRForALongText(t *testing.T) {
	tm, out, _ := newTerm("")
	if err := tm.QR(strings.Repeat("a", 5000)); !errors.Is(err, term.ErrNoRoom) || out.Len() > 0 {
		t.Errorf("%v, %q", err, out)
	}
}
