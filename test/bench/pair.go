package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/op"
)

const (
	ana = "ana"
	ben = "ben"
)

// user is the person at a terminal.
var user = op.Caller{User: true}

// pair is two nodes in this process and in one mesh.
type pair struct {
	*crowd
	ana, ben *node.Node
	receipts *receipts
}

func newPair(ctx context.Context, dir string) (_ *pair, err error) {
	p := &pair{crowd: newCrowd(dir), receipts: &receipts{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	if p.ana, err = p.start(ctx, ana, slog.New(p.receipts)); err != nil {
		return nil, err
	}
	if p.ben, err = p.start(ctx, ben, nil); err != nil {
		return nil, err
	}
	return p, p.meet(ctx)
}

// meet makes a mesh of the two, and sends the first message.
func (p *pair) meet(ctx context.Context) error {
	if err := joinAll(ctx, p.ops()); err != nil {
		return err
	}
	came, kept := p.receipts.expect()
	if err := p.send(ctx, "hello"); err != nil {
		return err
	}
	for _, c := range []<-chan int{came, kept} {
		select {
		case <-c:
		case <-ctx.Done():
			return fmt.Errorf("no receipt: %w", context.Cause(ctx))
		}
	}
	return nil
}

// send has ana send ben a message and returns once it is accepted.
func (p *pair) send(ctx context.Context, text string) error {
	_, err := message.Send.Call(ctx, p.ana.Ops(), user, message.SendRequest{To: message.Targets{ben}, Message: text})
	return err
}

// receipts hears of receipts by the sender's log: that one came back and was
// verified, and that it was committed.
type receipts struct {
	mu         sync.Mutex // guards what follows
	came, kept chan int
}

// expect gives the channels that tell of receipts from now on: each value is the
// number of messages.
func (r *receipts) expect() (came, kept <-chan int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	const room = 1 << 12
	r.came, r.kept = make(chan int, room), make(chan int, room)
	return r.came, r.kept
}

// Enabled implements slog.Handler.
func (r *receipts) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (r *receipts) Handle(_ context.Context, line slog.Record) error {
	kept := line.Message == "receipt kept"
	if !kept && line.Message != "receipt came" {
		return nil
	}
	items := 0
	line.Attrs(func(a slog.Attr) bool {
		if a.Key == "items" {
			items = int(a.Value.Int64())
		}
		return a.Key != "items"
	})
	r.mu.Lock()
	to := r.came
	if kept {
		to = r.kept
	}
	r.mu.Unlock()
	select {
	case to <- items:
	default: // nobody counts
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (r *receipts) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements slog.Handler.
func (r *receipts) WithGroup(string) slog.Handler { return r }
