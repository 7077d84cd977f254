package local_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// reader follows a feed and remembers what came.
type reader struct {
	mu      sync.Mutex
	cursors []string
}

func (r *reader) take(e op.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if want := fmt.Sprintf(`{"n":%s}`, e.Cursor); string(e.Data) != want {
		return fmt.Errorf("event %s carries %s", e.Cursor, e.Data)
	}
	r.cursors = append(r.cursors, e.Cursor)
	return nil
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cursors)
}

// inOrder checks that the events 1 to n came once each.
func (r *reader) inOrder(t *testing.T, n int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cursors) != n {
		t.Fatalf("%d events, want %d", len(r.cursors), n)
	}
	for i, c := range r.cursors {
		if c != strconv.Itoa(i+1) {
			t.Fatalf("event %d is %s", i+1, c)
		}
	}
}

// follow runs Follow until the test ends.
func follow(t *testing.T, c *local.Client, fn func(op.Event) error) (cancel func() error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Follow(ctx, op.Caller{}, "", fn) }()
	cancel = sync.OnceValue(func() error { stop(); return <-done })
	t.Cleanup(func() { _ = cancel() })
	return cancel
}

func TestABurstArrivesInOrder(t *testing.T) {
	path, feed := socket(t), newJournal()
	serve(t, local.ServerConfig{Socket: path, Feed: feed})
	r := &reader{}
	cancel := follow(t, client(t, local.ClientConfig{Socket: path}).As(token), r.take)
	feed.add(500)
	eventually(t, "all events", func() bool { return r.count() == 500 })
	r.inOrder(t, 500)
	if err := cancel(); !errors.Is(err, context.Canceled) {
		t.Errorf("follow: %v", err)
	}
	eventually(t, "the session's detachment", func() bool { return feed.count() == 0 })
}

func TestTheFeedResumesAfterARestart(t *testing.T) {
	path, feed := socket(t), newJournal()
	stop := serve(t, local.ServerConfig{Socket: path, Feed: feed})
	r := &reader{}
	follow(t, client(t, local.ClientConfig{Socket: path}), r.take)
	best := time.Hour
	for round := 1; round <= 5; round++ {
		feed.add(20)
		eventually(t, "the events of the round", func() bool { return r.count() == round*40-20 })
		stop()
		feed.add(20)
		stop = serve(t, local.ServerConfig{Socket: path, Feed: feed})
		back := time.Now()
		eventually(t, "the events of the pause", func() bool { return r.count() == round*40 })
		best = min(best, time.Since(back))
	}
	if best > time.Second { // the first pauses between tries are of some milliseconds
		t.Errorf("found the node again after %v at best", best)
	}
	r.inOrder(t, 200)
}

func TestHeartbeatsStayInside(t *testing.T) {
	path, feed := socket(t), newJournal()
	serve(t, local.ServerConfig{Socket: path, Feed: feed, Heartbeat: time.Millisecond})
	r := &reader{}
	follow(t, client(t, local.ClientConfig{Socket: path}), r.take)
	for range 20 {
		feed.add(1)
	}
	eventually(t, "all events", func() bool { return r.count() == 20 })
	r.inOrder(t, 20)
}

func TestReasonsToStopFollowing(t *testing.T) {
	path, feed := socket(t), newJournal()
	serve(t, local.ServerConfig{Socket: path, Feed: feed})
	c := client(t, local.ClientConfig{Socket: path})

	enough := errors.New("enough")
	feed.add(1)
	if err := c.Follow(t.Context(), op.Caller{}, "", func(op.Event) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a reader that fails: %v", err)
	}
	err := c.As("nobody").Follow(t.Context(), op.Caller{}, "", func(op.Event) error { return nil })
	if op.CodeOf(err) != op.Denied {
		t.Errorf("a token that is not known: %v", err)
	}
	feed.mu.Lock()
	feed.fail = op.Errorf(op.Expired, "the session is closed").WithHint("open another")
	feed.mu.Unlock()
	err = c.Follow(t.Context(), op.Caller{}, "", func(op.Event) error { return nil })
	if e := op.AsError(err); e == nil || e.Code != op.Expired || e.Hint != "open another" {
		t.Errorf("a session that is closed: %#v", e)
	}
}

func TestTroubleThatPassesIsWaitedFor(t *testing.T) {
	path, feed := socket(t), newJournal()
	feed.fail = op.Errorf(op.Unavailable, "the node is starting")
	serve(t, local.ServerConfig{Socket: path, Feed: feed})
	r := &reader{}
	follow(t, client(t, local.ClientConfig{Socket: path}), r.take)
	feed.add(1)
	feed.mu.Lock()
	feed.fail = nil
	feed.mu.Unlock()
	eventually(t, "the event", func() bool { return r.count() == 1 })
}
