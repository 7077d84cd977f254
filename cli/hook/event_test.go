package hook

import (
	"errors"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/presence"
)

func TestPlanned(t *testing.T) {
	for name, tt := range map[string]struct {
		word   string
		in     Input
		status string
		prompt bool
		take   bool
		turn   bool
		stop   bool
		ends   bool
	}{
		"a start":                     {word: "session-start", in: Input{Source: "startup"}, status: "idle"},
		"a start by its name":         {word: "SessionStart", status: "idle"},
		"after /clear":                {word: "session-start", in: Input{Source: "clear"}, status: "idle"},
		"taken up again":              {word: "session-start", in: Input{Source: "resume"}, status: "idle"},
		"after it made room":          {word: "session-start", in: Input{Source: "compact"}},
		"a prompt":                    {word: "user-prompt-submit", in: Input{Prompt: "go"}, status: "working", prompt: true, take: true, turn: true},
		"a prompt of a channel":       {word: "user-prompt-submit", in: Input{Prompt: " <channel source=\"x\">"}, status: "working", take: true, turn: true},
		"a prompt of a task":          {word: "user-prompt-submit", in: Input{Prompt: "<task-notification>"}, status: "working", take: true, turn: true},
		"no prompt":                   {word: "user-prompt-submit", status: "working", take: true, turn: true},
		"a tool":                      {word: "post-tool-use", status: "working", take: true},
		"a tool of a subagent":        {word: "post-tool-use", in: Input{Agent: "a"}, status: "working"},
		"a stop":                      {word: "stop", status: "idle", take: true, turn: true, stop: true},
		"a stop after a hook":         {word: "stop", in: Input{StopActive: true}, status: "idle", turn: true, stop: true},
		"it waits":                    {word: "notification", in: Input{Notification: "idle_prompt"}, status: "idle"},
		"it waits, as it used to say": {word: "notification", in: Input{Message: "Claude is waiting for your input"}, status: "idle"},
		"it asks":                     {word: "notification", in: Input{Notification: "permission_prompt", Message: "Claude needs your permission"}},
		"it ends":                     {word: "session-end", in: Input{Reason: "prompt_input_exit"}, ends: true},
		"it ends somehow":             {word: "session-end", in: Input{Reason: "other"}, ends: true},
		"/clear":                      {word: "session-end", in: Input{Reason: "clear"}},
		"/resume":                     {word: "session-end", in: Input{Reason: "resume"}},
		"an old idle":                 {word: "idle", status: "idle"},
		"an old working":              {word: "working", status: "working"},
		"an old dnd":                  {word: "dnd", status: "working"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.in.Session, tt.in.Cwd = "s", "/w"
			p, err := planned(tt.word, tt.in, seen{ids: []string{"x"}, channel: true})
			if err != nil || p.report.Status != tt.status || (p.report.Event == presence.EventPrompt) != tt.prompt ||
				p.hand.Take != tt.take || p.hand.Turn != tt.turn || p.stop != tt.stop || p.ends != tt.ends {
				t.Errorf("%+v, %v", p, err)
			}
			if p.report.AgentSession != "s" || p.report.Cwd != "/w" || len(p.hand.Shown) != 1 || !p.hand.Channel {
				t.Errorf("%+v", p)
			}
		})
	}
	for _, word := range []string{"", "no-such-event", "--flag", "stop stop", "PreToolUse"} {
		if _, err := planned(word, Input{}, seen{}); !errors.Is(err, errEvent) {
			t.Errorf("%q: %v", word, err)
		}
	}
}
