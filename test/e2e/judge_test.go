package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/harness"
)

// finish waits until every message acknowledged to this side is delivered and was
// shown to the other. In vain is no error: judge tells what is missing.
func (s *side) finish(ctx context.Context) error {
	for _, id := range s.acked {
		err := harness.Until(ctx, func() (bool, any, error) {
			state, ok := s.ask(ctx, id)
			return ok && (state == message.Delivered || state == message.Seen), state, nil
		})
		if err != nil {
			return fmt.Errorf("message %s: %w", id, err)
		}
	}
	return harness.Until(ctx, func() (bool, any, error) {
		if _, err := s.other.take(ctx, true); err != nil {
			return false, nil, err
		}
		missing := s.missing()
		return len(missing) == 0, fmt.Sprintf("%d messages missing", len(missing)), nil
	})
}

// shown is one showing of a message to a session.
type shown struct {
	id, body string
	again    bool
}

// showings are all that this side's session was shown, pushed or pulled.
func (s *side) showings() []shown {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []shown
	for _, a := range s.agents {
		for _, c := range a.Channels() {
			if c.ID() != "" {
				body := strings.TrimPrefix(strings.TrimPrefix(c.Content, "[URGENT] "), c.Meta["from_name"]+": ")
				all = append(all, shown{c.ID(), body, c.Meta["again"] != ""})
			}
		}
	}
	for _, m := range s.pulled {
		all = append(all, shown{m.ID, m.Body, m.AgainOffered})
	}
	return all
}

// missing lists what was acknowledged to this side and never shown to the other.
func (s *side) missing() []string {
	seen := map[string]bool{}
	for _, m := range s.other.showings() {
		seen[m.id] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.acked), func(id string) bool { return seen[id] })
}

// judge checks what must hold for the messages sent by this side.
func (s *side) judge(t *testing.T) {
	t.Helper()
	for _, f := range s.faults {
		t.Errorf("%s: %s", s.home.Name, f)
	}
	for _, id := range s.missing() {
		t.Errorf("%s: message %s was acknowledged and is lost (state %q)", s.home.Name, id, s.said[id])
	}
	seen, texts := map[string]int{}, map[string]bool{}
	for _, m := range s.other.showings() {
		if !s.bodies[m.body] {
			t.Errorf("%s was shown %q, which nobody sent", s.other.home.Name, m.body)
		}
		if body, ours := s.tried[m.id]; ours && body != m.body {
			t.Errorf("%s was shown %q under the id of %q", s.other.home.Name, m.body, body)
		}
		if m.again {
			continue
		}
		if seen[m.id]++; seen[m.id] == 2 {
			t.Errorf("%s was shown message %s twice", s.other.home.Name, m.id)
		} else if texts[m.body] && seen[m.id] == 1 {
			t.Errorf("%s was shown %q under two ids", s.other.home.Name, m.body)
		}
		texts[m.body] = true
	}
	for _, a := range s.agents {
		if err := a.Breach(); err != nil {
			t.Errorf("%s: %v", s.home.Name, err)
		}
	}
	if len(s.acked) == 0 {
		t.Errorf("%s sent nothing", s.home.Name)
	}
}

// summary is a line about this side's messages.
func (s *side) summary() string {
	pushed, again := 0, 0
	for _, m := range s.other.showings() {
		if m.again {
			again++
		}
	}
	for _, a := range s.other.agents {
		pushed += len(a.Channels())
	}
	return fmt.Sprintf("%s: %d tried, %d acknowledged; %s: %d channel notifications, %d pulled, %d of them again, %d MCP servers; no acknowledgement: %v",
		s.home.Name, len(s.bodies), len(s.acked), s.other.home.Name, pushed, len(s.other.pulled), again, len(s.other.agents), s.odd)
}
