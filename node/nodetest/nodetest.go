// Package nodetest runs whole nodes inside a test: real stores in temporary folders,
// real connections over loopback, everything else as in the program. It is for tests
// of what crosses the parts of a node; what crosses processes is tested below test/.
package nodetest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// patience bounds every wait for something that takes milliseconds on a machine that is
// not busy.
const patience = 2 * time.Minute

// Node is one node of a test. Its methods fail the test instead of returning errors.
type Node struct {
	t    testing.TB
	Name string
	Dir  string

	skew atomic.Int64 // of its wall clock, in nanoseconds

	mu   sync.Mutex // guards what follows
	node *node.Node
	stop func()
}

// Start runs a node in a folder of its own until the test ends.
func Start(t testing.TB, name string) *Node {
	t.Helper()
	// A short path: a Unix socket's has little room, and a test's name is long.
	dir, err := os.MkdirTemp("", "cm")
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{t: t, Name: name, Dir: dir}
	t.Cleanup(func() {
		n.Stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	n.Restart()
	return n
}

// Restart starts the node again on what it left on disk.
func (n *Node) Restart() {
	n.t.Helper()
	n.Stop()
	built, err := node.New(node.Config{
		Dir: n.Dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, DisplayName: n.Name, Version: "test", Now: n.Now,
		Log: slog.New(slog.NewTextHandler(prefixed{n.t, n.Name}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		n.t.Fatalf("build node %s: %v", n.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := built.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			n.t.Errorf("node %s: %v", n.Name, err)
		}
	})
	n.mu.Lock()
	n.node = built
	n.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	n.mu.Unlock()
	n.Wait("ready", func() bool {
		hello, err := n.Client().Hello(context.Background())
		return err == nil && hello.Ready
	})
}

// Now is the node's wall clock.
func (n *Node) Now() time.Time { return time.Now().Add(time.Duration(n.skew.Load())) }

// Skew sets the node's wall clock, running or not, so far off the machine's.
func (n *Node) Skew(d time.Duration) { n.skew.Store(int64(d)) }

// Stop ends the node as a shutdown does. It may be called more than once.
func (n *Node) Stop() {
	n.mu.Lock()
	stop := n.stop
	n.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// Ops performs operations inside the node's process.
func (n *Node) Ops() op.Doer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.node.Ops()
}

// Client speaks to the node over its socket, as the person at the terminal.
func (n *Node) Client() *local.Client {
	return local.NewClient(local.ClientConfig{Socket: local.SocketPath(n.Dir)})
}

// User is the person at the terminal, who says yes to everything.
func User() op.Caller { return op.Caller{User: true, Approved: true} }

// Found makes a mesh.
func (n *Node) Found(name string) mesh.Info {
	n.t.Helper()
	return Call(n, mesh.New, mesh.NewRequest{Name: name}).Info
}

// Invite makes an invite link.
func (n *Node) Invite() string {
	n.t.Helper()
	return Call(n, mesh.Invite, mesh.InviteRequest{}).Link
}

// Join joins by a link.
func (n *Node) Join(link string) mesh.Info {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		out, err := mesh.Join.Call(ctx, n.Ops(), User(), mesh.JoinRequest{Link: link})
		if err == nil {
			return out.Info
		}
		// On a busy machine a connection may take longer than the host gives it.
		if code := op.CodeOf(err); code != op.Offline && code != op.Unavailable || ctx.Err() != nil {
			n.t.Fatalf("%s at %s: %v", mesh.Join.ID, n.Name, err)
		}
	}
}

// Agent opens a session and returns its caller.
func (n *Node) Agent(id string) op.Caller {
	n.t.Helper()
	out := Call(n, presence.Open, presence.OpenRequest{AgentSession: id})
	return op.Caller{Session: out.Session}
}

// Call performs an operation as the person at the terminal.
func Call[In, Out any](n *Node, s op.Spec[In, Out], in In) Out {
	n.t.Helper()
	return CallAs(n, User(), s, in)
}

// CallAs performs an operation for a caller.
func CallAs[In, Out any](n *Node, c op.Caller, s op.Spec[In, Out], in In) Out {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := s.Call(ctx, n.Ops(), c, in)
	if err != nil {
		n.t.Fatalf("%s at %s: %v", s.ID, n.Name, err)
	}
	if r, ok := any(out).(op.Reporter); ok {
		n.report(ctx, c, r)
	}
	return out
}

// report tells the node that a response was shown, as surfaces do.
func (n *Node) report(ctx context.Context, c op.Caller, r op.Reporter) {
	n.t.Helper()
	id, request := r.Report()
	if id == "" {
		return
	}
	in, err := json.Marshal(request)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.Ops().Do(ctx, c, id, in); err != nil {
		n.t.Fatalf("%s at %s: %v", id, n.Name, err)
	}
}

// Wait waits for a condition, looking at it often.
func (n *Node) Wait(what string, holds func() bool) {
	n.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			n.t.Fatalf("%s: not %s within %s", n.Name, what, patience)
		case <-tick.C:
		}
	}
}

// Must is for steps that fail for no reason of what is tested.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// prefixed writes a node's log into the test's.
type prefixed struct {
	t    testing.TB
	name string
}

func (p prefixed) Write(b []byte) (int, error) {
	p.t.Logf("%s: %s", p.name, b)
	return len(b), nil
}
