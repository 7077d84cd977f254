package cli

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

// joined joins what is not empty.
func joined(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

// first returns the first word that is not empty.
func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// commaList are words separated by commas.
func commaList(text string) []string {
	out := []string{}
	for _, w := range strings.Split(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// maxStdin is the most that `send <to> -` reads: more than a message may have, so
// that the operation can say its limit.
const maxStdin = 512 << 10

// body is the text to send: the words, or stdin for a single "-".
func (a *app) body(args []string) (string, error) {
	if len(args) != 1 || args[0] != "-" {
		return strings.Join(args, " "), nil
	}
	text, err := a.term.ReadAll(maxStdin)
	if err != nil {
		return "", op.Errorf(op.TooLarge, "%w", err).WithHint("send less at a time")
	}
	if !utf8.Valid(text) {
		return "", usage("send text; of a file that holds something else, send the path", "stdin is not valid UTF-8 text")
	}
	return strings.TrimRight(string(text), "\n"), nil
}

// noMesh says that there is no mesh to tell about, and how to get into one.
func (a *app) noMesh() {
	a.term.Line("You are in no mesh.")
	a.term.Line("%s Make one: %s", term.To, term.Cyan("claudemesh new <name>"))
	a.term.Line("%s Join one: %s", term.To, term.Cyan("claudemesh join <link>"))
}
