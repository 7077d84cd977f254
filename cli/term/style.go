package term

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Styled is text with a colour, applied only where colour is on.
type Styled struct {
	text  string
	codes string
}

// Green is for what went well.
func Green(s string) Styled { return Styled{s, "32"} }

// Red is for what failed.
func Red(s string) Styled { return Styled{s, "31"} }

// Yellow is for what needs care.
func Yellow(s string) Styled { return Styled{s, "33"} }

// Cyan is for what one types: commands and links.
func Cyan(s string) Styled { return Styled{s, "36"} }

// Dim is for what matters less.
func Dim(s string) Styled { return Styled{s, "2"} }

// Bold is for names.
func Bold(s string) Styled { return Styled{s, "1"} }

// Pad fills the text with blanks to a width in characters.
func (s Styled) Pad(width int) Styled {
	return Styled{s.text + blanks(width-utf8.RuneCountInString(s.text)), s.codes}
}

// Table prints rows of as many cells, the first row as their heads: the first column begins
// at the left, the others, which are numbers, end at the right.
func (t *Term) Table(rows [][]string) {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		line := ""
		for i, cell := range row {
			gap := blanks(width[i] - utf8.RuneCountInString(cell))
			if i == 0 {
				line = cell + gap
				continue
			}
			line += "  " + gap + cell
		}
		if n == 0 {
			t.Line("  %s", Dim(line))
			continue
		}
		t.Line("  %s", line)
	}
}

func blanks(n int) string { return strings.Repeat(" ", max(n, 0)) }

func (s Styled) render(hue bool) string {
	text := oneLine(s.text)
	if !hue || text == "" {
		return text
	}
	return "\x1b[" + s.codes + "m" + text + "\x1b[0m"
}

// Speaker is a text that can be said in another language: by its formats, as say has them.
type Speaker interface {
	In(say func(format string) string) string
}

// render makes arguments safe to print.
func render(args []any, hue bool, say func(string) string) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case Styled:
			out[i] = v.render(hue)
		case string:
			out[i] = oneLine(v)
		case Speaker:
			out[i] = oneLine(v.In(say))
		case error:
			out[i] = oneLine(v.Error())
		case fmt.Stringer:
			out[i] = oneLine(v.String())
		default:
			out[i] = a
		}
	}
	return out
}

// Clean takes out of text all that could steer a terminal or reorder what is
// shown: control characters but the line break and the tab, and direction marks.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if steers(r) {
			return -1
		}
		return r
	}, text)
}

// oneLine is Clean for what must stay on its line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		if steers(r) {
			return -1
		}
		return r
	}, text)
}

// steers tells whether a character acts on the terminal instead of being shown.
func steers(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// block indents each line of text.
func block(depth int, text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(Clean(text), "\n")) {
		b.WriteString(strings.Repeat(indent, depth))
		b.WriteString(strings.TrimRight(line, "\n"))
		b.WriteByte('\n')
	}
	return b.String()
}
