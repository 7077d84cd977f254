package cli

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// short is the part of a key or id that lists show.
func short(id string) string { return id[:min(len(id), 16)] }

// day writes an RFC 3339 time as people read it, in their time zone; anything else
// stays as it is.
func day(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.Local().Format("Mon 2 Jan 15:04")
}

// clock writes an RFC 3339 time of today without its date.
func clock(text string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	at, now = at.Local(), now.Local()
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04:05")
	}
	return at.Format("Mon 2 Jan 15:04")
}

// clipboards are the programs that take text into the clipboard, by preference, with
// the variable that tells whether there is anything for them to talk to.
var clipboards = []struct {
	needs string
	words []string
}{
	{"", []string{"pbcopy"}},
	{"WAYLAND_DISPLAY", []string{"wl-copy"}},
	{"DISPLAY", []string{"xclip", "-selection", "clipboard"}},
	{"", []string{"clip"}},
}

// clipboardLimit is how long such a program may take.
const clipboardLimit = time.Second

// copyText puts text into the clipboard and tells whether that worked.
func (a *app) copyText(ctx context.Context, text string) bool {
	ctx, cancel := context.WithTimeout(ctx, clipboardLimit)
	defer cancel()
	for _, c := range clipboards {
		path, err := exec.LookPath(c.words[0])
		if err != nil || c.needs != "" && a.env.Getenv(c.needs) == "" {
			continue
		}
		cmd := exec.CommandContext(ctx, path, c.words[1:]...)
		cmd.Stdin = strings.NewReader(text)
		if cmd.Run() == nil {
			return true
		}
	}
	return false
}

// count writes a number with its noun.
func (a *app) count(n int, one, many string) string {
	if n == 1 {
		return "1 " + a.say(one)
	}
	return strconv.Itoa(n) + " " + a.say(many)
}

// say gives a text in the person's language.
func (a *app) say(text string) string { return a.term.Say(text) }

// fill gives a text with places to fill in, in the person's language.
func (a *app) fill(format string, args ...any) string { return fmt.Sprintf(a.say(format), args...) }
