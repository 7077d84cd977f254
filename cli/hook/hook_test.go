package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
)

// node is what a hook asks, without one behind it.
type node struct {
	t *testing.T
	// opened is under which id the node says the session was opened.
	opened string
	// messages are handed out until they are confirmed.
	messages message.HandResponse
	// slow is how long it takes with each operation.
	slow map[string]time.Duration

	mu    sync.Mutex // guards what follows
	asked []string   // operations, and the token they were asked with
	last  map[string]json.RawMessage
}

type doer struct {
	n     *node
	token string
}

func (d doer) Do(ctx context.Context, _ op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	n := d.n
	if wait := n.slow[id]; wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, strings.TrimSpace(id+" "+d.token))
	n.last[id] = in
	var out any
	switch id {
	case presence.Report.ID:
		out = presence.ReportResponse{Found: true, OpenedAs: n.opened}
	case presence.Close.ID:
		out = presence.CloseResponse{}
	case message.Hand.ID:
		out = n.messages
	case message.Read.ID:
		out, n.messages = message.ReadResponse{}, message.HandResponse{}
	default:
		n.t.Errorf("asked for %s", id)
	}
	return json.Marshal(out)
}

// reported is the last report.
func (n *node) reported() presence.ReportRequest {
	var out presence.ReportRequest
	if err := json.Unmarshal(n.last[presence.Report.ID], &out); err != nil {
		n.t.Error(err)
	}
	return out
}

// newNode makes a node, and a claudemesh folder with a session "s" known by its token.
func newNode(t *testing.T) (*node, agent.Tokens) {
	t.Helper()
	tokens := agent.Tokens(t.TempDir())
	if err := tokens.Put("s", "secret"); err != nil {
		t.Fatal(err)
	}
	return &node{t: t, opened: "s", slow: map[string]time.Duration{}, last: map[string]json.RawMessage{}}, tokens
}

// hook runs a hook.
func (n *node) hook(tokens agent.Tokens, event, said string) (string, error) {
	var out bytes.Buffer
	err := Run(n.t.Context(), Config{
		In: strings.NewReader(said), Out: &out, Person: doer{n: n}, As: func(token string) op.Doer { return doer{n, token} },
		Tokens: tokens, Parents: func() []int { return []int{7, 8} }, Cwd: "/here", Log: slog.New(slog.DiscardHandler),
	}, event)
	return out.String(), err
}

func (n *node) askedFor(want ...string) {
	n.t.Helper()
	slices.Sort(n.asked)
	slices.Sort(want)
	if !slices.Equal(n.asked, want) {
		n.t.Errorf("asked for %q, not %q", n.asked, want)
	}
	n.asked = nil
}

func TestAHookTellsTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, tokens := newNode(t)
		if out, err := n.hook(tokens, "session-start", `{"session_id":"s"}`); out != "" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
		n.askedFor(presence.Report.ID)
		got := n.reported()
		if got.Status != "idle" || got.AgentSession != "s" || got.PID != 7 || !slices.Equal(got.PIDs, []int{7, 8}) || got.Cwd != "/here" {
			t.Errorf("%+v", got)
		}
		_, err := n.hook(tokens, "user-prompt-submit", `{"session_id":"s","prompt":"go","cwd":"/there"}`)
		n.askedFor(presence.Report.ID, message.Hand.ID+" secret")
		if got := n.reported(); err != nil || got.Status != "working" || got.Event != presence.EventPrompt || got.Cwd != "/there" {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = n.hook(tokens, "stop", `{"session_id":"s"}`)
		n.askedFor(presence.Report.ID, message.Hand.ID+" secret")
		if got := n.reported(); err != nil || got.Status != "idle" {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = n.hook(tokens, "session-end", `{"session_id":"s","reason":"other"}`)
		n.askedFor(presence.Close.ID)
		if err != nil {
			t.Error(err)
		}
	})
}

func TestAHookHandsOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, event := range []string{"user-prompt-submit", "post-tool-use", "stop"} {
			n, tokens := newNode(t)
			n.messages = handOut(0, "hi")
			out, err := n.hook(tokens, event, `{"session_id":"s"}`)
			if err != nil || !strings.Contains(out, "bo: hi") {
				t.Errorf("%s: %q, %v", event, out, err)
			}
			n.askedFor(presence.Report.ID, message.Hand.ID+" secret", message.Read.ID+" secret")
			if got := n.reported(); got.Status != "working" { // also at a stop: it goes on
				t.Errorf("%s: %+v", event, got)
			}
			if out, err := n.hook(tokens, event, `{"session_id":"s"}`); err != nil || out != "" {
				t.Errorf("%s again: %q, %v", event, out, err)
			}
		}
		n, tokens := newNode(t)
		n.messages = handOut(0, "hi")
		for _, event := range []string{"session-start", "notification", "session-end"} {
			if out, err := n.hook(tokens, event, `{"session_id":"s"}`); out != "" || err != nil {
				t.Errorf("%s: %q, %v", event, out, err)
			}
		}
	})
}

// An id that the agent took meanwhile is learnt, and the messages come under it at once.
func TestAHookLearnsANewID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, tokens := newNode(t)
		n.messages = handOut(0, "hi")
		out, err := n.hook(tokens, "user-prompt-submit", `{"session_id":"new"}`)
		if err != nil || !strings.Contains(out, "bo: hi") {
			t.Errorf("%q, %v", out, err)
		}
		if token, ok := tokens.Get("new"); !ok || token != "secret" {
			t.Errorf("%q, %v", token, ok)
		}
		// Of one that nobody has heard of nothing is handed out.
		n.opened, n.messages, n.asked = "", handOut(0, "hi"), nil
		if out, err := n.hook(tokens, "stop", `{"session_id":"third"}`); out != "" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
		n.askedFor(presence.Report.ID)
	})
}

func TestAHookTellsWhatTheTranscriptShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, tokens := newNode(t)
		path := filepath.Join(t.TempDir(), "t.jsonl")
		if err := os.WriteFile(path, []byte(line("user", pushedText(1))+line("attachment", handedText(t, 2))), 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := json.Marshal(map[string]string{"session_id": "s", "transcript_path": path})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.hook(tokens, "notification", string(said)); err != nil {
			t.Fatal(err)
		}
		var got message.HandRequest
		if err := json.Unmarshal(n.last[message.Hand.ID], &got); err != nil || !slices.Equal(got.Shown, []string{id(1), id(2)}) || got.Take || !got.Channel {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Whatever the node is slow with: the hook ends in time, and what it did not write it
// did not confirm.
func TestASlowNode(t *testing.T) {
	for slow, written := range map[string]bool{presence.Report.ID: true, message.Hand.ID: false, message.Read.ID: true} {
		for _, event := range []string{"user-prompt-submit", "post-tool-use", "stop"} {
			t.Run(slow+" at "+event, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, tokens := newNode(t)
					n.messages, n.slow[slow] = handOut(0, "hi"), time.Minute
					began := time.Now()
					out, err := n.hook(tokens, event, `{"session_id":"s"}`)
					if time.Since(began) != Limit || !errors.Is(err, errLate) && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v after %v", err, time.Since(began))
					}
					synctest.Wait()
					if (out != "") != written {
						t.Errorf("wrote %q", out)
					}
					if confirmed := len(n.messages.Messages) == 0; confirmed && !written {
						t.Error("confirmed what was not written")
					}
				})
			})
		}
	}
}

// An answer that comes when the hook has given up is not written: nobody reads it.
func TestALateAnswerIsNotWritten(t *testing.T) {
	var out bytes.Buffer
	h := &hook{Config: Config{Out: &out}, late: true}
	if err := h.write([]byte("x")); !errors.Is(err, errLate) || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestOddInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			event, said string
			err         error
		}{
			{"stop", "", errSilent}, {"stop", "x", errInput}, {"no-such-event", `{"session_id":"s"}`, errEvent}, {"", `{}`, errEvent},
		} {
			n, tokens := newNode(t)
			if out, err := n.hook(tokens, tt.event, tt.said); out != "" || !errors.Is(err, tt.err) {
				t.Errorf("%+v: %q, %v", tt, out, err)
			}
			n.askedFor()
		}
	})
}

func TestParents(t *testing.T) {
	list := Parents()
	if len(list) == 0 || list[0] != os.Getppid() || len(list) > maxParents {
		t.Errorf("%v", list)
	}
}
