package claude

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
)

const (
	flagChannels = "--dangerously-load-development-channels"
	flagUnasked  = "--dangerously-skip-permissions"
	// channel is our MCP server as Claude Code names channels.
	channel = "server:claudemesh"
)

// Plan says how Claude Code is to be started.
type Plan struct {
	// Resume is the conversation to go on with, Continue goes on with the newest of the
	// folder; else a new one begins.
	Resume   string
	Continue bool
	// Unasked lets Claude Code act without asking.
	Unasked bool
	// System is the system prompt; empty: Claude Code's own.
	System string
	// Servers is a file with MCP servers beside those that are set up; empty: none.
	Servers string
	// Rest is handed on as it is, but for our own flags.
	Rest []string
}

// Args are the arguments of Claude Code, and the id by which it will know the
// conversation; empty where it alone knows.
func (p Plan) Args() (args []string, session string) {
	// These two take every word up to the next flag, a prompt in Rest too, unless joined.
	args = []string{flagChannels + "=" + channel}
	rest, _ := p.rest()
	own := owned(rest)
	switch {
	case p.Resume != "":
		session = p.Resume
	case !p.Continue && !own:
		session = newID()
		args = append(args, "--session-id", session)
	}
	if own {
		session = ""
	}
	if p.Resume != "" {
		args = append(args, "--resume", p.Resume)
	}
	if p.Continue {
		args = append(args, "--continue")
	}
	if p.Unasked {
		args = append(args, flagUnasked)
	}
	if p.System != "" {
		args = append(args, "--system-prompt", p.System)
	}
	if p.Servers != "" {
		args = append(args, "--mcp-config="+p.Servers)
	}
	return append(args, rest...), session
}

// Dropped tells whether what is handed on held a consent that must be given to us, not
// behind our back.
func (p Plan) Dropped() bool {
	_, dropped := p.rest()
	return dropped && !p.Unasked
}

// rest is what is handed on, without copies of our own flags.
func (p Plan) rest() (rest []string, consent bool) {
	for i := 0; i < len(p.Rest); i++ {
		word := p.Rest[i]
		switch {
		case word == "--":
			return append(rest, p.Rest[i:]...), consent // a prompt: words, no flags
		case word == flagUnasked:
			consent = true
		case word == flagChannels:
			// Its value is the next word, unless that is a flag.
			if i+1 < len(p.Rest) && !strings.HasPrefix(p.Rest[i+1], "-") {
				i++
			}
		case strings.HasPrefix(word, flagChannels+"="):
		default:
			rest = append(rest, word)
		}
	}
	return rest, consent
}

// owned tells whether words for Claude Code decide about the conversation's id.
func owned(rest []string) bool {
	if i := slices.Index(rest, "--"); i >= 0 {
		rest = rest[:i]
	}
	return slices.ContainsFunc(rest, func(word string) bool {
		name, _, _ := strings.Cut(word, "=")
		return slices.Contains([]string{"--session-id", "--resume", "-r", "--continue", "-c", "--fork-session"}, name)
	})
}

// newID makes a random UUID, as Claude Code wants one for a conversation.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
