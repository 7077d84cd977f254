package doctor

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/op"
)

// modern is how the revisions of the protocol begin under which Claude Code drops
// channel notifications.
const modern = "2026-"

// claudeCode is the kind of its sessions.
const claudeCode = "claude-code"

// findOut is how a user finds out what nobody else can know.
func findOut() op.Phrase {
	return op.Word("start a session with `claude --dangerously-load-development-channels server:claudemesh --debug-file /tmp/claude-debug.txt` and search that file for `Channel notifications`: it says whether they are on, or why not")
}

// called is a session as people know it.
func called(s health.Session) string {
	if s.Name == "" {
		return s.ID
	}
	return s.Name
}

// lookAtProtocol looks at what the open sessions have agreed on with our MCP server.
func lookAtProtocol(ctx context.Context, x *exam) []Finding {
	h, err := x.health(ctx)
	if err != nil {
		return noNode(err)
	}
	var out []Finding
	var good []op.Phrase
	for _, s := range h.Sessions {
		switch {
		case s.Agent != claudeCode || !s.Attached:
		case s.Protocol == "":
			out = append(out, warn("session %s does not tell which revision of the protocol it speaks", called(s)).
				hint("its MCP server is of an older version: restart that agent"))
		case strings.HasPrefix(s.Protocol, modern):
			out = append(out, fail("session %s speaks revision %s of the protocol, under which %s drops channel notifications without a word", called(s), s.Protocol, orElse(s.Client, op.Word("Claude Code"))).
				hint("restart that agent, so that it starts this version of `claudemesh mcp`, and take away what stands between the two (a proxy, a gateway): a revision of 2025 is needed"))
		default:
			good = append(good, op.Phrasef("%s: %s with %s", called(s), s.Protocol, orElse(s.Client, op.Word("its client"))))
		}
	}
	if len(good) > 0 {
		out = append(out, pass("%s", list(good)))
	}
	if len(out) == 0 {
		return one(skip("no session of Claude Code is open"))
	}
	return out
}

func orElse(s string, otherwise op.Phrase) op.Phrase {
	if s == "" {
		return otherwise
	}
	return op.Phrasef("%s", s)
}

// lookAtChannels says whether messages enter this user's sessions by themselves, as far
// as that can be known: a client that drops them says nothing.
func lookAtChannels(ctx context.Context, x *exam) []Finding {
	c, _ := x.claude(ctx)
	if c.Channels == "off" {
		return one(warn("Claude Code has its switch for channels off for your account: messages reach your sessions by hooks, at the next prompt or tool call").
			hint("it is Anthropic's to switch on; to see what holds now: %s", findOut()))
	}
	var remembered op.Phrase
	if c.Channels == "on" {
		remembered = op.Word("; Claude Code remembers that its switch for channels is on")
	}
	h, err := x.health(ctx)
	if err != nil {
		return noNode(err)
	}
	var arrive, unknown []string
	var vain []op.Phrase
	for _, s := range h.Sessions {
		switch {
		case s.Agent != claudeCode || !s.Attached || s.Mode != "push":
		case s.Arrived:
			arrive = append(arrive, called(s))
		case s.Unconfirmed > 0:
			vain = append(vain, op.Phrasef("%s (%s pushed, none seen to arrive)", called(s), count(s.Unconfirmed, "message", "messages")))
		default:
			unknown = append(unknown, called(s))
		}
	}
	var out []Finding
	if len(arrive) > 0 {
		out = append(out, pass("channels reach %s%s", strings.Join(arrive, ", "), remembered))
	}
	if len(vain) > 0 {
		out = append(out, warn("channels do not seem to reach %s; hooks bring the messages instead", list(vain)).hint("%s", findOut()))
	}
	if len(unknown) > 0 {
		out = append(out, skip("not known yet whether channels reach %s: nothing was pushed there%s", strings.Join(unknown, ", "), remembered).
			hint("%s", findOut()))
	}
	if len(out) == 0 {
		return one(skip("no session of Claude Code is open in which messages are pushed%s", remembered).hint("%s", findOut()))
	}
	return out
}
