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
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/test/harness"
)

// crowd is the nodes of one mesh in this process, with real stores and real
// connections. Nothing limits how much they may send.
type crowd struct {
	dir     string
	nodes   []*node.Node
	life    context.Context
	end     context.CancelFunc
	running sync.WaitGroup
	percent int // of garbage, before

	mu     sync.Mutex // guards what follows
	failed error
}

func newCrowd(dir string) *crowd {
	c := &crowd{dir: dir, percent: debug.SetGCPercent(node.GCPercent)}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// stop ends the nodes and waits for them.
func (c *crowd) stop() error {
	c.end()
	c.running.Wait()
	debug.SetGCPercent(c.percent)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

func (c *crowd) fail(err error) {
	if err == nil || c.life.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = errors.Join(c.failed, err)
}

func (c *crowd) home(name string) string { return filepath.Join(c.dir, name) }

// start runs one more node and returns once it answers.
func (c *crowd) start(ctx context.Context, name string, log *slog.Logger) (*node.Node, error) {
	home := c.home(name)
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
	c.nodes = append(c.nodes, n)
	c.running.Go(func() { c.fail(n.Run(c.life)) })
	return n, ready(ctx, home)
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

// ops are the nodes as those who perform operations.
func (c *crowd) ops() []op.Doer {
	out := make([]op.Doer, 0, len(c.nodes))
	for _, n := range c.nodes {
		out = append(out, n.Ops())
	}
	return out
}

// follow opens a session at a node and gives all that its feed tells, until the
// crowd stops.
func (c *crowd) follow(ctx context.Context, n *node.Node, name string, take func(op.Event)) error {
	s, err := presence.Open.Call(ctx, n.Ops(), user, presence.OpenRequest{AgentSession: name})
	if err != nil {
		return err
	}
	client := local.NewClient(local.ClientConfig{Socket: local.SocketPath(c.home(name)), Token: s.Token})
	attached := make(chan struct{})
	once := sync.OnceFunc(func() { close(attached) })
	c.running.Go(func() {
		defer client.Close()
		c.fail(client.Follow(c.life, op.Caller{}, "", func(e op.Event) error {
			once() // the first is the welcome
			take(e)
			return nil
		}))
	})
	select {
	case <-attached:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s is not attached: %w", name, context.Cause(ctx))
	}
}
