package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/cli/term"
)

const (
	// width is that of the transcript, in characters.
	width = 78
	// longest is how much of a link or a key is shown.
	longest = 44
)

// stage prints the transcript. It is used by one goroutine.
type stage struct {
	term  *term.Term
	began time.Time
	scene int
	from  time.Time
	doing string
}

// open begins a scene.
func (s *stage) open(title string) {
	s.scene++
	s.doing, s.from = title, time.Now()
	s.term.Blank()
	s.term.Line("%s %s", term.Bold(fmt.Sprint(s.scene)), term.Bold(title))
}

// close tells how long the scene took.
func (s *stage) close(what string) {
	text := what + "  " + span(time.Since(s.from))
	blank := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	s.term.Line("%s%s", blank, term.Dim(text))
}

// actor is one of the two, with a mark for what it does.
func (s *stage) line(who, mark string, what term.Styled) {
	hue := term.Cyan
	if who != ana {
		hue = term.Yellow
	}
	s.term.Line("  %s %s %s", hue(who).Pad(4), term.Dim(mark), what)
}

// types shows a command.
func (s *stage) types(who, command string) { s.line(who, "$", term.Bold("claudemesh "+command)) }

// prints shows what a command answered.
func (s *stage) prints(who, text string) { s.line(who, " ", term.Green(text)) }

// calls shows a tool call of an agent.
func (s *stage) calls(who, tool, args string) {
	s.line(who, "→", term.Bold(tool+" "+args))
}

// gets shows a tool's result.
func (s *stage) gets(who, text string) { s.line(who, " ", term.Dim(text)) }

// hears shows a channel notification as it enters the agent's conversation.
func (s *stage) hears(who, from, text string) {
	s.line(who, "←", term.Dim(fmt.Sprintf(`<channel source="claudemesh" from_name=%q …>`, from)))
	s.line(who, " ", term.Green("“"+text+"”"))
}

// span shows a time as people read it.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// cut shortens what nobody reads whole.
func cut(text string) string {
	if r := []rune(text); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return text
}
