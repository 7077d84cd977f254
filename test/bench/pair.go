package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	ana = "ana"
	ben = "ben"
)

// user is the person at a terminal.
var user = op.Caller{User: true}

// pair is two nodes in this process and in one mesh, with real stores and real
// connections. Nothing limits how much they may send.
type pair struct {
	ana, ben *node.Node
	receipts *receipts
	stop     func() error
}

func newPair(ctx context.Context, dir string) (_ *pair, err error) {
	p := &pair{receipts: &receipts{}}
	percent := debug.SetGCPercent(node.GCPercent)
	life, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var mu sync.Mutex
	var failed error
	p.stop = func() error {
		end()
		running.Wait()
		debug.SetGCPercent(percent)
		return failed
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	start := func(name string, log *slog.Logger) (*node.Node, error) {
		home := filepath.Join(dir, name)
		if err := os.Mkdir(home, 0o700); err != nil {
			return nil, err
		}
		free := delivery.Rate{PerSecond: 1e9, Burst: 1e9}
		n, err := node.New(node.Config{
			Dir: home, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, DisplayName: name, Log: log,
			Limits: message.Limits{SendRate: free, ReceiveRate: free},
		})
		if err != nil {
			return nil, err
		}
		running.Go(func() {
			if err := n.Run(life); err != nil && life.Err() == nil {
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
		return n, ready(ctx, home)
	}
	if p.ana, err = start(ana, slog.New(p.receipts)); err != nil {
		return nil, err
	}
	if p.ben, err = start(ben, nil); err != nil {
		return nil, err
	}
	return p, p.meet(ctx)
}

// ready waits until the node of a folder answers.
func ready(ctx context.Context, dir string) error {
	c := local.NewClient(local.ClientConfig{Socket: local.SocketPath(dir)})
	defer c.Close()
	return harness.Until(ctx, func() (bool, any, error) {
		h, err := c.Hello(ctx)
		return err == nil && h.Ready, err, nil
	})
}

// meet makes a mesh of the two, and sends the first message.
func (p *pair) meet(ctx context.Context) error {
	if _, err := mesh.New.Call(ctx, p.ana.Ops(), user, mesh.NewRequest{Name: "bench"}); err != nil {
		return err
	}
	link, err := mesh.Invite.Call(ctx, p.ana.Ops(), user, mesh.InviteRequest{})
	if err != nil {
		return err
	}
	if _, err := mesh.Join.Call(ctx, p.ben.Ops(), user, mesh.JoinRequest{Link: link.Link}); err != nil {
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
