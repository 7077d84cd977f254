package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

const (
	// maxLine is the longest line of a feed, in bytes.
	maxLine = op.MaxRequest + 4096
	// silence is how long a feed may be without a line before it counts as dead.
	silence = 3 * defaultBeat
)

// Follow calls fn for each change behind cursor until ctx ends, fn fails or the
// node says that there is nothing to follow (a token it does not know, say), and
// returns the reason. A node that is gone is waited for without end: it is found
// again within 50 ms in the first half minute and within a second later on.
func (c *Client) Follow(ctx context.Context, _ op.Caller, cursor string, fn func(op.Event) error) error {
	var p pace
	for {
		began := time.Now()
		err := c.stream(ctx, &cursor, fn)
		var stop *stopError
		switch {
		case errors.As(err, &stop):
			return stop.error
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(began) > time.Second:
			p = pace{}
		}
		c.log.Debug("feed lost", "error", err)
		if !p.wait(ctx) {
			return ctx.Err()
		}
	}
}

// stopError is a reason not to connect again.
type stopError struct{ error }

func (e *stopError) Unwrap() error { return e.error }

// stream follows over one connection and moves cursor along. It returns a
// stopError, or why the connection ended.
func (c *Client) stream(ctx context.Context, cursor *string, fn func(op.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(silence, cancel)
	defer alive.Stop()

	resp, err := c.send(ctx, http.MethodGet, "/v1/feed?cursor="+url.QueryEscape(*cursor), nil)
	if err != nil {
		return retriable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxLine))
		if err != nil {
			return broken(ctx, err)
		}
		return retriable(readError(resp.StatusCode, body))
	}
	return readFeed(resp.Body, func(e op.Event) error {
		alive.Reset(silence)
		if e.Topic == heartbeat {
			return nil
		}
		if err := fn(e); err != nil {
			return &stopError{err}
		}
		if e.Cursor != "" {
			*cursor = e.Cursor
		}
		return nil
	})
}

// readFeed calls fn for each line of r until r ends, a line is none of ours, or fn
// fails.
func readFeed(r io.Reader, fn func(op.Event) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var line struct {
			op.Event
			failure
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return op.Errorf(op.Internal, "a line of the feed is no JSON: %w", err)
		}
		if line.Error != nil {
			return retriable(line.Error)
		}
		if line.Topic == "" {
			continue // a line of a newer node
		}
		if err := fn(line.Event); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return op.Errorf(op.Unavailable, "the feed broke: %w", err)
	}
	return io.EOF
}

// retriable marks err as final unless trying again later may help.
func retriable(err error) error {
	switch op.CodeOf(err) {
	case op.Unavailable, op.Offline, op.RateLimited, op.Internal:
		return err
	default:
		return &stopError{err}
	}
}

// pace spaces attempts to reach a node that is gone: 10 ms, then 20, then every
// 40 ms for half a minute (an attempt costs about 20 µs, and a node that restarts
// is to be found at once), then more rarely up to every second.
type pace struct {
	since time.Time
	step  time.Duration
}

// wait waits for the next attempt. It returns false when ctx ends first.
func (p *pace) wait(ctx context.Context) bool {
	timer := time.NewTimer(p.next(time.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// next returns how long to wait now.
func (p *pace) next(now time.Time) time.Duration {
	if p.since.IsZero() {
		p.since = now
	}
	limit := 40 * time.Millisecond
	if now.Sub(p.since) > 30*time.Second {
		limit = time.Second
	}
	p.step = min(max(2*p.step, 10*time.Millisecond), limit)
	return p.step
}
