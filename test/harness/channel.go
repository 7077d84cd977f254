package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
)

const channelMethod = "notifications/claude/channel"

// Channel is one channel notification: text that enters the agent's conversation.
type Channel struct {
	At      time.Time // when it was read from the pipe
	Content string
	Meta    map[string]string
}

// ID is the id of the message it shows, empty for what is no message.
func (c Channel) ID() string { return c.Meta["message_id"] }

// Kind is direct, broadcast, welcome, system or inbox_notification.
func (c Channel) Kind() string { return c.Meta["kind"] }

// metaKey is the form of the keys that Claude Code keeps.
var metaKey = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// notified takes a notification. It is called by the reader alone.
func (a *Agent) notified(m message, at time.Time) {
	if m.Method != channelMethod {
		return
	}
	c, err := parseChannel(m.Params)
	if err != nil {
		a.breach(err)
		return
	}
	c.At = at
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.initialized && a.wrong == nil {
		a.wrong = fmt.Errorf("a channel notification before initialized: %.100q", c.Content)
	}
	a.channels = append(a.channels, c)
	a.wake()
}

// parseChannel is as strict as Claude Code, which drops what breaks a rule
// without a word.
func parseChannel(raw json.RawMessage) (Channel, error) {
	var p struct {
		Content *string           `json:"content"`
		Meta    map[string]string `json:"meta"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return Channel{}, fmt.Errorf("a channel notification that clients drop: %w", err)
	}
	if p.Content == nil {
		return Channel{}, fmt.Errorf("a channel notification without content")
	}
	for k := range p.Meta {
		if k == "source" || !metaKey.MatchString(k) {
			return Channel{}, fmt.Errorf("a channel notification with the key %q", k)
		}
	}
	return Channel{Content: *p.Content, Meta: p.Meta}, nil
}

// Channels returns all notifications so far, in order.
func (a *Agent) Channels() []Channel {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.channels)
}

// Await returns the first notification, at index from or later, that matches. It
// waits until there is one, the server ends (ErrGone), it breaks the protocol, or
// ctx ends.
func (a *Agent) Await(ctx context.Context, from int, match func(Channel) bool) (Channel, error) {
	for i := from; ; {
		a.mu.Lock()
		seen, changed, wrong := a.channels[min(i, len(a.channels)):], a.changed, a.wrong
		a.mu.Unlock()
		for _, c := range seen {
			if match(c) {
				return c, nil
			}
		}
		i += len(seen)
		if wrong != nil {
			return Channel{}, wrong
		}
		select {
		case <-changed:
			continue
		case <-ctx.Done():
			return Channel{}, fmt.Errorf("no such notification among %d: %w", i, context.Cause(ctx))
		case <-a.rpc.done:
		}
		if i == len(a.Channels()) {
			return Channel{}, fmt.Errorf("no such notification among %d: %w", i, ErrGone)
		}
	}
}

// AwaitMessage waits for the message with that id.
func (a *Agent) AwaitMessage(ctx context.Context, id string) (Channel, error) {
	c, err := a.Await(ctx, 0, func(c Channel) bool { return c.ID() == id })
	if err != nil {
		return c, fmt.Errorf("message %s: %w", id, err)
	}
	return c, nil
}
