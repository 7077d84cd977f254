package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	chatterers = 17
	steps      = 30
	causeLimit = 64 // messages of one conversation that one node has seen
)

// chatterer is an agent that does the polite thing.
type chatterer struct {
	*harness.Agent
	home    *harness.Home
	key     string
	handled int
	told    bool
}

// Thirty steps in a row, each by another agent, pass. Seventeen agents of three members
// that answer everything they are shown, to all and to who wrote it, stop by themselves,
// and each is told why.
func TestAgentsThatAnswerEverything(t *testing.T) {
	t.Parallel()
	ctx := within(t, 4*time.Minute)
	homes := trio(ctx, t)
	all := make([]*chatterer, chatterers)
	var starting sync.WaitGroup
	for i := range all {
		all[i] = &chatterer{home: homes[i%len(homes)]}
		starting.Go(func() {
			a, err := all[i].home.Agent(ctx, harness.AgentConfig{Session: fmt.Sprint("session ", i)})
			if err != nil {
				t.Error(err)
				return
			}
			all[i].Agent = a
		})
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, a := range all {
		welcomed(ctx, t, a.Agent)
		a.key = self(ctx, t, a.Agent).Session
	}
	pipeline(ctx, t, all)
	for _, a := range all {
		a.handled = len(a.Channels())
	}

	began := time.Now()
	out, err := message.Send.Call(ctx, homes[0].API(), op.Caller{}, message.SendRequest{To: message.Targets{"@all"}, Message: "what do you think?"})
	if err != nil {
		t.Fatal(err)
	}
	c := &chatter{sent: map[string]*harness.Home{out.ID: homes[0]}}
	err = harness.Until(ctx, func() (bool, any, error) {
		busy := false
		for _, a := range all {
			did, err := c.answer(ctx, a)
			if err != nil {
				return false, nil, err
			}
			busy = busy || did
		}
		// It ends when nothing is on its way any more and nobody has to answer.
		quiet, err := c.settled(ctx)
		told := 0
		for _, a := range all {
			quiet = quiet && a.handled == len(a.Channels())
			if a.told {
				told++
			}
		}
		return quiet && !busy && told == len(all), fmt.Sprintf("%d messages, %d agents that were told", len(c.sent), told), err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if err := a.Breach(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d agents stopped after %d messages, %v; %d answers were refused", chatterers, len(c.sent), time.Since(began).Round(time.Millisecond), c.refused)
	// Each node stops by what it has seen, and does not see what two others write.
	if len(c.sent) > len(homes)*causeLimit || len(c.sent) < causeLimit {
		t.Errorf("%d messages", len(c.sent))
	}
}

// pipeline has the agents pass on a task, each to the next, begun by a person.
func pipeline(ctx context.Context, t *testing.T, all []*chatterer) {
	t.Helper()
	out, err := message.Send.Call(ctx, all[0].home.API(), op.Caller{}, message.SendRequest{To: message.Targets{all[0].key}, Message: "step 0"})
	if err != nil {
		t.Fatal(err)
	}
	id := out.ID
	for i := range steps {
		one, next := all[i%len(all)], all[(i+1)%len(all)]
		hear(ctx, t, one.Agent, id)
		id = send(ctx, t, one.Agent, next.key, fmt.Sprint("step ", i+1), "")
	}
	hear(ctx, t, all[steps%len(all)].Agent, id)
}

// chatter is all that was said.
type chatter struct {
	sent    map[string]*harness.Home // by id: from where
	refused int
}

// answer has an agent answer what is new to it.
func (c *chatter) answer(ctx context.Context, a *chatterer) (busy bool, err error) {
	for _, n := range a.Channels()[a.handled:] {
		a.handled++
		if n.ID() == "" {
			continue
		}
		busy = true
		if n.Kind() == "system" {
			a.told = a.told || strings.Contains(n.Content, "limit")
			continue
		}
		for _, args := range []map[string]any{
			{"to": "@all", "message": "I agree", "reply_to": n.ID()},
			{"to": n.Meta["from_id"], "message": "thank you"},
		} {
			out, err := harness.Tool[message.SendResponse](ctx, a.Agent, "send_message", args)
			var no *harness.ToolError
			switch {
			case err == nil:
				c.sent[out.ID] = a.home
			case errors.As(err, &no) && strings.Contains(no.Text, "limit is"):
				a.told = true
				c.refused++
			default:
				return false, err
			}
		}
	}
	return busy, nil
}

// settled tells whether everything is delivered.
func (c *chatter) settled(ctx context.Context) (bool, error) {
	for id, h := range c.sent {
		out, err := message.Status.Call(ctx, h.API(), op.Caller{}, message.StatusRequest{ID: id})
		if err != nil || !out.Delivered {
			return false, err
		}
	}
	return true, nil
}
