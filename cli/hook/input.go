package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"
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

// read reads what an agent says, with limits of size and time. It ends with the object,
// also if the agent keeps its end open. Of one that is cut, as after a tool with a long
// result, or that does not come to its end in time, what came is taken.
func read(r io.Reader) (Input, error) {
	h := &hearing{whole: make(chan struct{})}
	go h.listen(r) // it cannot be called back, and ends with the process
	timer := time.NewTimer(inputTime)
	defer timer.Stop()
	select {
	case <-h.whole:
	case <-timer.C:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case len(h.text) > 0:
		return decode(h.text)
	case h.err != nil && !errors.Is(h.err, io.EOF):
		return Input{}, h.err
	}
	return Input{}, errSilent
}

// hearing is what an agent has said so far.
type hearing struct {
	whole chan struct{} // closed when no more is needed

	mu   sync.Mutex // guards what follows
	text []byte
	err  error
}

// listen reads to the end. What is not needed any more is read, too: an agent that
// cannot write it all would take the hook for broken.
func (h *hearing) listen(r io.Reader) {
	part := make([]byte, 64<<10)
	for needed := true; ; {
		n, err := r.Read(part)
		if needed && h.add(part[:n], err) {
			needed = false
			close(h.whole)
		}
		if err != nil {
			return
		}
	}
}

// add keeps a part and tells whether no more is needed.
func (h *hearing) add(part []byte, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, part[:min(len(part), maxInput-len(h.text))]...)
	h.err = err
	return err != nil || len(h.text) == maxInput || bytes.HasSuffix(bytes.TrimRight(h.text, " \t\r\n"), []byte("}")) && json.Valid(h.text)
}

// decode reads an input. Fields of other types than expected are passed over.
func decode(text []byte) (Input, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
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
