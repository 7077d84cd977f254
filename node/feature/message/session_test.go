package message

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// send sends as a session. It fails if the node was killed before it answered.
func (n *node) send(s *Self, r SendRequest) (SendResponse, error) {
	out, err := n.f.send(context.Background(), op.Caller{Session: s.ID}, r)
	if n.dead.Load() {
		return SendResponse{}, errKilled
	}
	return out, err
}

func (n *node) mustSend(s *Self, to, text string, change ...func(*SendRequest)) string {
	n.w.t.Helper()
	r := SendRequest{To: Targets{to}, Message: text}
	for _, c := range change {
		c(&r)
	}
	out, err := n.send(s, r)
	if err != nil {
		n.w.t.Fatalf("send %q to %s: %v", text, to, err)
	}
	return out.ID
}

// check reads an inbox as a surface does: what it gave is shown, and then confirmed.
func (n *node) check(s *Self, r CheckRequest) CheckResponse {
	n.w.t.Helper()
	out := n.take(s, r)
	if len(out.Messages) > 0 {
		if _, err := n.f.read(context.Background(), op.Caller{Session: s.ID}, out.Shown()); err != nil {
			n.w.t.Fatalf("confirm as %s: %v", s.Name, err)
		}
	}
	return out
}

// take is check by a surface that dies before it has shown anything.
func (n *node) take(s *Self, r CheckRequest) CheckResponse {
	n.w.t.Helper()
	out, err := n.f.check(context.Background(), op.Caller{Session: s.ID}, r)
	if err != nil {
		n.w.t.Fatalf("check as %s: %v", s.Name, err)
	}
	return out
}

// bodies are the texts that Check gives.
func (n *node) bodies(s *Self) string {
	n.w.t.Helper()
	return texts(n.check(s, CheckRequest{}))
}

func texts(r CheckResponse) string {
	var out []string
	for _, m := range r.Messages {
		out = append(out, m.Body)
	}
	return strings.Join(out, ",")
}

// states are those of the recipients of a message.
func (n *node) states(s *Self, id string) string {
	n.w.t.Helper()
	out, err := n.f.status(context.Background(), op.Caller{Session: s.ID}, StatusRequest{ID: id})
	if err != nil {
		n.w.t.Fatalf("status of %s: %v", id, err)
	}
	var states []string
	for _, r := range out.Recipients {
		states = append(states, string(r.State))
	}
	return strings.Join(states, ",")
}

// feed lists what was announced to a session on a topic.
func (n *node) feed(s *Self, topic string) []op.Event {
	n.w.t.Helper()
	changes, _, reset, err := n.db.Feed().Since(0, func(c store.Change) bool {
		return c.Topic == topic && c.To == s.ID
	}, 1<<20)
	if err != nil || reset {
		n.w.t.Fatalf("feed: reset %v, %v", reset, err)
	}
	var out []op.Event
	for _, c := range changes {
		var e op.Event
		if err := json.Unmarshal(c.Data, &e); err != nil {
			n.w.t.Fatalf("feed: %v", err)
		}
		out = append(out, e)
	}
	return out
}

// pushed lists the messages pushed to a session.
func (n *node) pushed(s *Self) []op.Message {
	n.w.t.Helper()
	var out []op.Message
	for _, e := range n.feed(s, op.TopicMessage) {
		var m op.Message
		if err := json.Unmarshal(e.Data, &m); err != nil {
			n.w.t.Fatalf("feed: %v", err)
		}
		out = append(out, m)
	}
	return out
}

// pushes are their texts.
func (n *node) pushes(s *Self) string {
	n.w.t.Helper()
	var out []string
	for _, m := range n.pushed(s) {
		out = append(out, m.Body)
	}
	return strings.Join(out, ",")
}

func parseID(s string) letter.ID {
	id, _ := letter.ParseID(s)
	return id
}

func opCaller(s *Self) op.Caller { return op.Caller{Session: s.ID} }

// codeOf wants an error with a code.
func codeOf(t *testing.T, err error, want op.Code) {
	t.Helper()
	if op.CodeOf(err) != want {
		t.Errorf("error %v has the code %q, want %q", err, op.CodeOf(err), want)
	}
}
