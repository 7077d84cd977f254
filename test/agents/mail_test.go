//go:build agents

package agents

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
)

// reader is a model that looks for mail from bo, when asked to.
type reader struct {
	ctx context.Context
	t   *testing.T
	bo  *harness.Agent
	// waiting is the id of the newest message, found the answer that had it.
	waiting string
	found   chan message.Received
}

// model reads until a message was pushed before it was read. Those that are read
// first are followed by another: nothing shows from outside when the server begins
// to push.
func (m *reader) model(r modelapi.Request) modelapi.Reply {
	if len(r.Tools) == 0 || !strings.Contains(r.User(), "any mail?") {
		return modelapi.Say("done")
	}
	answers := of("check_messages", r.Results())
	if len(answers) == 0 {
		m.send()
		return modelapi.Use(prefix+"check_messages", struct{}{})
	}
	last := answers[len(answers)-1]
	var asked message.CheckRequest
	if err := json.Unmarshal(last.Input, &asked); err != nil {
		m.t.Error(err)
	}
	got := decode[message.CheckResponse](m.t, last)
	i := slices.IndexFunc(got.Messages, func(r message.Received) bool { return r.ID == m.waiting })
	switch {
	case i >= 0 && asked.Again:
		m.found <- got.Messages[i] // has room for the one there is
		return modelapi.Say("done")
	case i >= 0:
		m.send()
	case slices.Contains(got.Unconfirmed, m.waiting):
		return modelapi.Use(prefix+"check_messages", message.CheckRequest{Again: true})
	}
	return modelapi.Use(prefix+"check_messages", struct{}{})
}

func (m *reader) send() {
	sent, err := harness.Tool[message.SendResponse](m.ctx, m.bo, "send_message", map[string]any{"to": anaName, "message": "are you there?"})
	if err != nil && m.ctx.Err() == nil {
		m.t.Error(err)
	}
	m.waiting = sent.ID
}

// Without channels the client drops what is pushed, and tells nobody: the agent
// finds it by asking.
func TestAClaudeWithoutChannelsFindsItsMail(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	m := &reader{ctx: ctx, t: t, bo: agent(ctx, t, w.bo, "bo's"), found: make(chan message.Received, 1)}
	c := newClaude(ctx, t, w.ana, m.model)
	terminal := c.start(ctx)
	terminal.await(ctx, belowPrompt)
	awaitOne(ctx, t, w.bo, anaName)
	terminal.enter(ctx, "any mail?")
	select {
	case got := <-m.found:
		if got.Body != "are you there?" || got.FromName != boName || !got.AgainOffered {
			t.Errorf("the model read %+v", got)
		}
	case <-ctx.Done():
		t.Fatalf("the model found no mail in %d requests", len(c.api.Requests()))
	}
	for _, r := range c.api.Requests() {
		if list := channels(r); len(list) > 0 {
			t.Fatalf("without channels the model was shown %+v", list)
		}
	}
}
