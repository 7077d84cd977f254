package screen

import (
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/claudemesh/claudemesh/cli/term"
)

// maxLine is how many characters a line takes; invite links are the longest.
const maxLine = 4096

// line is a line of text that is being typed.
type line struct {
	text []rune
	at   int // where the cursor stands
}

func newLine(text string) line {
	l := line{}
	l.insert(text)
	return l
}

func (l *line) value() string { return string(l.text) }

// insert puts text at the cursor, without what no line holds.
func (l *line) insert(text string) {
	var clean []rune
	for _, r := range term.Clean(text) {
		if !unicode.IsControl(r) {
			clean = append(clean, r)
		}
	}
	clean = clean[:min(len(clean), maxLine-len(l.text))]
	l.text = append(l.text[:l.at:l.at], append(clean, l.text[l.at:]...)...)
	l.at += len(clean)
}

// cut removes what lies between two places.
func (l *line) cut(from, to int) {
	from, to = max(from, 0), min(to, len(l.text))
	l.text = append(l.text[:from:from], l.text[to:]...)
	l.at = from
}

// wordBefore is where the word before the cursor begins.
func (l *line) wordBefore() int {
	i := l.at
	for i > 0 && l.text[i-1] == ' ' {
		i--
	}
	for i > 0 && l.text[i-1] != ' ' {
		i--
	}
	return i
}

// press does what a key means in a line.
func (l *line) press(k tea.KeyPressMsg) {
	switch k.String() {
	case "left", "ctrl+b":
		l.at = max(l.at-1, 0)
	case "right", "ctrl+f":
		l.at = min(l.at+1, len(l.text))
	case "home", "ctrl+a":
		l.at = 0
	case "end", "ctrl+e":
		l.at = len(l.text)
	case "backspace", "ctrl+h":
		l.cut(l.at-1, l.at)
	case "delete", "ctrl+d":
		l.cut(l.at, l.at+1)
	case "ctrl+w", "alt+backspace":
		l.cut(l.wordBefore(), l.at)
	case "ctrl+u":
		l.cut(0, l.at)
	case "ctrl+k":
		l.cut(l.at, len(l.text))
	default:
		l.insert(k.Text)
	}
}

// view is the part of the line that fits into a width, and in which column of it the
// cursor stands.
func (l *line) view(width int) (text string, column int) {
	from := 0
	for lipgloss.Width(string(l.text[from:l.at])) >= width && from < l.at {
		from++
	}
	to := len(l.text)
	for to > l.at && lipgloss.Width(string(l.text[from:to])) > width {
		to--
	}
	return strings.TrimRight(string(l.text[from:to]), "\n"), lipgloss.Width(string(l.text[from:l.at]))
}
