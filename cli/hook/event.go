package hook

import (
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
)

// plan is what follows from an event.
type plan struct {
	report presence.ReportRequest
	hand   message.HandRequest
	// ends: the agent has gone. Its session is closed.
	ends bool
	// stop: the agent is about to stop, and goes on if it is handed something.
	stop bool
	// event is how the agent calls it, for the answer.
	event string
}

// planned is what to do at an event, by its word on our command line, or by its name at
// the agent. The words idle, working and dnd, of older installations, only tell a status.
func planned(word string, in Input, s seen) (plan, error) {
	p := plan{report: presence.ReportRequest{AgentSession: in.Session, Cwd: in.Cwd}}
	p.hand.Shown, p.hand.Channel = s.ids, s.channel
	switch strings.ToLower(strings.ReplaceAll(word, "-", "")) {
	case "sessionstart":
		p.event, p.report.Status = "SessionStart", "idle"
		if in.Source == "compact" {
			p.report.Status = "" // in the middle of its work
		}
	case "userpromptsubmit":
		p.event, p.report.Status = "UserPromptSubmit", "working"
		if byPerson(in.Prompt) {
			p.report.Event = presence.EventPrompt
		}
		p.hand.Take, p.hand.Turn = true, true
	case "posttooluse":
		p.event, p.report.Status = "PostToolUse", "working"
		p.hand.Take = in.Agent == "" // what a subagent reads, the session does not
	case "stop":
		p.event, p.report.Status = "Stop", "idle"
		p.hand.Take, p.hand.Turn, p.stop = !in.StopActive, true, true
	case "notification":
		p.event = "Notification"
		if in.Notification == "idle_prompt" || in.Notification == "" && strings.Contains(in.Message, "waiting for your input") {
			p.report.Status = "idle"
		}
	case "sessionend":
		p.event = "SessionEnd"
		p.ends = in.Reason != "clear" && in.Reason != "resume"
	case "idle":
		p.report.Status = "idle"
	case "working", "dnd":
		p.report.Status = "working"
	default:
		return plan{}, errEvent
	}
	return p, nil
}

// machines begin prompts that no person typed: what a channel, a task or another agent
// brings wakes a session as a prompt does.
var machines = []string{"<channel ", "<task-notification", "<cross-session-message", "<teammate-message", "<system-reminder"}

// byPerson tells whether a person typed a prompt.
func byPerson(prompt string) bool {
	prompt = strings.TrimSpace(prompt)
	for _, m := range machines {
		if strings.HasPrefix(prompt, m) {
			return false
		}
	}
	return prompt != ""
}
