package hook

import (
	"bytes"
	"context"
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

// hearing is what an agent says, as far as it came.
type hearing struct {
	enough chan struct{} // closed when no more is needed
	ended  chan struct{} // closed when all was read

	mu   sync.Mutex // guards what follows
	text []byte
	cut  bool
	err  error
}

// hear begins to listen to an agent. It cannot be called back, and ends with the
// process.
func hear(r io.Reader) *hearing {
	h := &hearing{enough: make(chan struct{}), ended: make(chan struct{})}
	go h.listen(r)
	return h
}

func (h *hearing) listen(r io.Reader) {
	defer close(h.ended)
	part := make([]byte, 64<<10)
	for needed := true; ; {
		n, err := r.Read(part)
		if needed && h.add(part[:n], err) {
			needed = false
			close(h.enough)
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
	room := maxInput - len(h.text)
	h.text = append(h.text, part[:min(len(part), room)]...)
	h.cut, h.err = len(part) > room, err
	return err != nil || h.cut || bytes.HasSuffix(bytes.TrimRight(h.text, " \t\r\n"), []byte("}")) && json.Valid(h.text)
}

// input is what was said, within limits of size and time. It ends with the object, also
// if the agent keeps its end open. Of one that is cut, as after a tool with a long
// result, or that does not come to its end in time, what came is taken.
func (h *hearing) input() (Input, error) {
	timer := time.NewTimer(inputTime)
	defer timer.Stop()
	select {
	case <-h.enough:
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

// rest waits until the agent has said what was too long to be taken: one that cannot
// write it all might take the hook for broken.
func (h *hearing) rest(ctx context.Context) {
	h.mu.Lock()
	cut := h.cut
	h.mu.Unlock()
	if !cut {
		return
	}
	select {
	case <-h.ended:
	case <-ctx.Done():
	}
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
