package mcp

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// Pauses between attempts to open the session.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 10 * time.Second
)

// opening opens the session, again and again until it succeeds. It is safe for
// concurrent use.
type opening struct {
	ready func(context.Context) error
	log   *slog.Logger
	// urge asks for an attempt without a pause.
	urge chan struct{}

	mu sync.Mutex
	// open is whether the last attempt succeeded, err why it did not.
	open bool
	err  error
	// attempt is closed when the attempt that runs, or else the next one, has ended.
	attempt chan struct{}
}

func newOpening(ready func(context.Context) error, log *slog.Logger) *opening {
	return &opening{ready: ready, log: log, urge: make(chan struct{}, 1), attempt: make(chan struct{})}
}

// run makes attempts until ctx ends.
func (o *opening) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		var again <-chan time.Time // never, while the session is open
		if o.try(ctx) {
			pause = firstPause
		} else {
			again = time.After(pause)
			pause = min(2*pause, lastPause)
		}
		select {
		case <-ctx.Done():
		case <-again:
		case <-o.urge:
		}
	}
}

// try makes an attempt if the session is not open. It tells whether it is now.
func (o *opening) try(ctx context.Context) bool {
	if open, _, _ := o.state(); open {
		return true
	}
	err := o.ready(ctx)
	o.ended(err)
	if err != nil && ctx.Err() == nil {
		o.log.Warn("the session is not open", "error", err)
	}
	return err == nil
}

func (o *opening) state() (open bool, attempt <-chan struct{}, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open, o.attempt, o.err
}

// ended notes how an attempt ended.
func (o *opening) ended(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open, o.err = err == nil, err
	close(o.attempt)
	o.attempt = make(chan struct{})
}

// lost notes that the session is not known any more: it is opened again.
func (o *opening) lost() {
	o.mu.Lock()
	o.open = false
	o.mu.Unlock()
	o.hurry()
}

// hurry asks for an attempt now.
func (o *opening) hurry() {
	select {
	case o.urge <- struct{}{}:
	default:
	}
}

// now returns nil if the session is open, or becomes so by the attempt that runs or
// is made now, else why it does not.
func (o *opening) now(ctx context.Context) error {
	open, attempt, _ := o.state()
	if open {
		return nil
	}
	o.hurry()
	select {
	case <-attempt:
	case <-ctx.Done():
		return op.Errorf(op.Unavailable, "the session is still being opened")
	}
	open, _, err := o.state()
	if open {
		return nil
	}
	return err
}

// await returns nil once the session is open, or ctx's error.
func (o *opening) await(ctx context.Context) error {
	for {
		open, attempt, _ := o.state()
		if open {
			return nil
		}
		select {
		case <-attempt:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
