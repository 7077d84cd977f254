package hook

import (
	"encoding/json"
	"io"
	"strings"
	"time"
)

const (
	// maxInput is the most that is read of what an agent says, in bytes.
	maxInput = 256 << 10
	// inputTime is how long an agent may take to say it.
	inputTime = 500 * time.Millisecond
)

// Input is what an agent says of an event.
type Input struct {
	Session    string `json:"session_id"`
	Transcript string `json:"transcript_path"`
	Cwd        string `json:"cwd"`
	// Source of a session's start: startup, resume, clear or compact.
	Source string `json:"source"`
	// Prompt that was submitted.
	Prompt string `json:"prompt"`
	// StopActive tells that the agent only goes on because of a hook.
	StopActive bool `json:"stop_hook_active"`
	// Message and Notification of a notification: its text and its kind.
	Message      string `json:"message"`
	Notification string `json:"notification_type"`
	// Reason of a session's end.
	Reason string `json:"reason"`
	// Agent is set within a subagent, whose tools are not the session's own.
	Agent string `json:"agent_id"`
}

// read reads what an agent says, with limits of size and time. An input that is cut, as
// after a tool with a long result, gives what stands at its beginning.
func read(r io.Reader) (Input, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1) // so that the reader, which cannot be called back, ends with the process
	go func() {
		text, err := io.ReadAll(io.LimitReader(r, maxInput))
		done <- result{text, err}
	}()
	timer := time.NewTimer(inputTime)
	defer timer.Stop()
	select {
	case got := <-done:
		if got.err != nil {
			return Input{}, got.err
		}
		return decode(got.text)
	case <-timer.C:
		return Input{}, errSilent
	}
}

// decode reads an input. Fields of other types than expected are passed over.
func decode(text []byte) (Input, error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	var in Input
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return in, errInput
	}
	into := map[string]any{
		"session_id": &in.Session, "transcript_path": &in.Transcript, "cwd": &in.Cwd, "source": &in.Source,
		"prompt": &in.Prompt, "stop_hook_active": &in.StopActive, "message": &in.Message,
		"notification_type": &in.Notification, "reason": &in.Reason, "agent_id": &in.Agent,
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			break // what came before the cut is good
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			break
		}
		key, _ := t.(string)
		if to, ok := into[key]; ok {
			_ = json.Unmarshal(raw, to) // another type: as if it were not there
		}
	}
	return in, nil
}
