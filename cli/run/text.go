package run

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
)

// Short is the part of a key or id that lists show.
func Short(id string) string { return id[:min(len(id), 16)] }

// Day writes an RFC 3339 time as people read it, in their time zone; anything else
// stays as it is.
func Day(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.Local().Format(dayAndTime)
}

// dayAndTime is how a time is written, the same in every language.
const dayAndTime = "2006-01-02 15:04"

// Clock writes an RFC 3339 time of today without its date.
func Clock(text string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	at, now = at.Local(), now.Local()
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04:05")
	}
	return at.Format(dayAndTime)
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

// CopyText puts text into the clipboard and tells whether that worked.
func (a *App) CopyText(ctx context.Context, text string) bool {
	ctx, cancel := context.WithTimeout(ctx, clipboardLimit)
	defer cancel()
	for _, c := range clipboards {
		path, err := exec.LookPath(c.words[0])
		if err != nil || c.needs != "" && a.Env.Getenv(c.needs) == "" {
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

// Count writes a number with its noun.
func (a *App) Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + a.Say(one)
	}
	return strconv.Itoa(n) + " " + a.Say(many)
}

// Say gives a text in the person's language.
func (a *App) Say(text string) string { return a.Term.Say(text) }

// Fill gives a text with places to fill in, in the person's language.
func (a *App) Fill(format string, args ...any) string { return fmt.Sprintf(a.Say(format), args...) }

// State says whether somebody is there. Words that one types, as idle and dnd, stay.
func (a *App) State(word string) string {
	switch word {
	case "online":
		return a.Say("online")
	case "away":
		return a.Say("away")
	case "offline":
		return a.Say("offline")
	}
	return word
}

// Source says where a setting comes from: the names of variables and files stay.
func (a *App) Source(name string) string {
	if name == "default" {
		return a.Say("default")
	}
	return name
}

// Joined joins what is not empty.
func Joined(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

// First returns the first word that is not empty.
func First(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// CommaList are words separated by commas.
func CommaList(text string) []string {
	out := []string{}
	for _, w := range strings.Split(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// OnOff is a switch as people write it.
func OnOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// maxStdin is the most that `send <to> -` reads: more than a message may have, so
// that the operation can say its limit.
const maxStdin = 512 << 10

// Body is the text to send: the words, or stdin for a single "-".
func (a *App) Body(args []string) (string, error) {
	if len(args) != 1 || args[0] != "-" {
		return strings.Join(args, " "), nil
	}
	text, err := a.Term.ReadAll(maxStdin)
	if err != nil {
		return "", op.Errorf(op.TooLarge, "%w", err).WithHint("send less at a time")
	}
	if !utf8.Valid(text) {
		return "", Usage("send text; of a file that holds something else, send the path", "stdin is not valid UTF-8 text")
	}
	return strings.TrimRight(string(text), "\n"), nil
}

// NoMesh says that there is no mesh to tell about, and how to get into one.
func (a *App) NoMesh() {
	a.Term.Line("You are in no mesh.")
	a.Term.Line("%s Make one: %s", term.To, term.Cyan("claudemesh new <name>"))
	a.Term.Line("%s Join one: %s", term.To, term.Cyan("claudemesh join <link>"))
}
