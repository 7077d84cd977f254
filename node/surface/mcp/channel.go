package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// channelMethod is the notification that Claude Code shows to the model.
const channelMethod = "notifications/claude/channel"

// notification is a channel notification as it is written. That its meta holds
// strings alone is the client's condition for showing it.
type notification struct {
	JSONRPC string `json:"jsonrpc"`
	Method  string `json:"method"`
	Params  note   `json:"params"`
}

// note is one message to the model.
type note struct {
	Content string            `json:"content"`
	Meta    map[string]string `json:"meta"`
}

// metaKey is what the client takes as a key of meta.
var metaKey = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// longestMeta is the longest value of meta, in characters.
const longestMeta = 4096

// longestJSON is the longest JSON in meta, in bytes: cut, it would be none.
const longestJSON = 16 << 10

// set adds an attribute, made fit to be one. It leaves out empty values and keys
// that the client would drop or that it sets itself.
func (n *note) set(key, value string) {
	if value == "" || key == "source" || !metaKey.MatchString(key) {
		return
	}
	if n.Meta == nil {
		n.Meta = make(map[string]string)
	}
	n.Meta[key] = oneLine(value, longestMeta)
}

// setJSON adds an attribute whose value is JSON. Quotes stay; the encoder has
// escaped angle brackets.
func (n *note) setJSON(key string, value any) {
	text, err := json.Marshal(value)
	if err != nil || n.Meta == nil || len(text) > longestJSON {
		return
	}
	n.Meta[key] = string(text)
}

// channel pushes the feed's events into the client's session.
type channel struct {
	cfg         Config
	open        *opening
	out         *writer
	initialized <-chan struct{}
}

// run follows the feed from initialized and the grace time on, until ctx ends. A
// feed that ends is taken up again behind its last event.
func (c *channel) run(ctx context.Context) {
	if !c.await(ctx) {
		return
	}
	cursor := ""
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		if !c.reach(ctx) {
			return
		}
		began := time.Now()
		err := c.cfg.Feed.Follow(ctx, c.cfg.Caller, cursor, func(e op.Event) error {
			if err := c.push(e); err != nil {
				return err
			}
			if e.Cursor != "" {
				cursor = e.Cursor
			}
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		c.cfg.Log.Warn("the feed ended", "error", err)
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		if !sleep(ctx, pause) {
			return
		}
		c.open.lost()
	}
}

// tellAfter is how long the session may not be open until the model hears of it.
const tellAfter = 15 * time.Second

// reach waits until the session is open, and tells once if that takes long: a model
// that gets no messages and calls no tools would never know why. It returns false
// when ctx ends first.
func (c *channel) reach(ctx context.Context) bool {
	soon, cancel := context.WithTimeout(ctx, tellAfter)
	err := c.open.await(soon)
	cancel()
	if err == nil || ctx.Err() != nil {
		return err == nil
	}
	if _, _, why := c.open.state(); c.cfg.Self().Mode != "off" {
		if err := c.out.write(notification{JSONRPC: "2.0", Method: channelMethod, Params: apartNote(why)}); err != nil {
			return false
		}
	}
	return c.open.await(ctx) == nil
}

// await waits for initialized and the grace time.
func (c *channel) await(ctx context.Context) bool {
	select {
	case <-c.initialized:
	case <-ctx.Done():
		return false
	}
	return c.cfg.Grace < 0 || sleep(ctx, c.cfg.Grace)
}

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// push writes e to the client. The error is that the client takes no more; an
// event that cannot be shown is left out, and so is everything in mode off, which the
// node keeps messages from by itself.
func (c *channel) push(e op.Event) error {
	if e.Mode == "off" && e.Topic != op.TopicMessage {
		return nil
	}
	n, err := noteOf(e)
	switch {
	case errors.Is(err, errTopic):
		c.cfg.Log.Debug("event not shown", "topic", e.Topic)
		return nil
	case err != nil:
		c.cfg.Log.Warn("event not shown", "topic", e.Topic, "error", err)
		return nil
	}
	return c.out.write(notification{JSONRPC: "2.0", Method: channelMethod, Params: n})
}
