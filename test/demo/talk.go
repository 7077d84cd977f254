package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/harness"
)

// agent is the agent of one of the two.
func (c *cast) agent(who string) *harness.Agent {
	if who == ana {
		return c.anaAgent
	}
	return c.boAgent
}

// send calls send_message.
func (c *cast) send(ctx context.Context, from, to, text, replyTo string) (message.SendResponse, error) {
	args := map[string]any{"to": to, "message": text}
	shown := fmt.Sprintf("{to: %q, message: %q", to, text)
	if replyTo != "" {
		args["reply_to"] = replyTo
		shown += fmt.Sprintf(", reply_to: %q", replyTo[:8]+"…")
	}
	c.calls(from, "send_message", shown+"}")
	sent, err := harness.Tool[message.SendResponse](ctx, c.agent(from), "send_message", args)
	if err != nil {
		return sent, err
	}
	if len(sent.Targets) != 1 || !sent.Targets[0].OK {
		return sent, fmt.Errorf("send_message: %s", sent.Text())
	}
	c.gets(from, fmt.Sprintf("%s, id %s", sent.Targets[0].State, sent.ID))
	return sent, nil
}

// hear waits for the channel notification with a message.
func (c *cast) hear(ctx context.Context, who, id string) error {
	n, err := c.agent(who).AwaitMessage(ctx, id)
	if err != nil {
		return err
	}
	from := n.Meta["from_name"]
	c.hears(who, from, strings.TrimPrefix(n.Content, from+": "))
	return nil
}

// fate asks ana's agent for message_status until it is the one expected.
func (c *cast) fate(ctx context.Context, id string, want message.State) error {
	c.calls(ana, "message_status", fmt.Sprintf("{id: %q}", id[:8]+"…"))
	err := harness.Until(ctx, func() (bool, any, error) {
		r, err := harness.Tool[message.StatusResponse](ctx, c.anaAgent, "message_status", map[string]any{"id": id})
		if err != nil || len(r.Recipients) != 1 {
			return false, r, err
		}
		return r.Recipients[0].State == want, r.Recipients[0].State, nil
	})
	if err != nil {
		return err
	}
	c.gets(ana, string(want))
	return nil
}

// both does two things at once.
func both(one, two func() error) error {
	first := make(chan error, 1)
	go func() { first <- one() }()
	err := two()
	return errors.Join(<-first, err)
}
