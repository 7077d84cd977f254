package gossip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/overlaytest"
)

// ear is a router that remembers what it heard.
type ear struct {
	*gossip.Router
	mu      sync.Mutex
	heard   []string
	verdict func(string) gossip.Verdict
}

func listen(t testing.TB, n *overlaytest.Node, mesh ident.MeshID) *ear {
	t.Helper()
	r, err := gossip.New(n.Host, mesh)
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{Router: r, verdict: func(string) gossip.Verdict { return gossip.Accept }}
	r.Handle(func(_ peer.ID, p []byte) gossip.Verdict {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.heard = append(e.heard, string(p))
		return e.verdict(string(p))
	})
	overlaytest.Run(t, r.Run)
	return e
}

func (e *ear) got() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

func (e *ear) has(s string) bool { return slices.Contains(e.got(), s) }

func (e *ear) shout(t testing.TB, s string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), overlaytest.Patience)
	defer cancel()
	if err := e.Shout(ctx, []byte(s)); err != nil {
		t.Fatal(err)
	}
}

// until shouts until other hears, who may be no neighbour: the way there takes a heartbeat to form.
func (e *ear) until(t testing.TB, other *ear) {
	t.Helper()
	n := 0
	overlaytest.Wait(t, "a shout from afar", func() bool {
		n++
		e.shout(t, fmt.Sprint("until ", n))
		return slices.ContainsFunc(other.got(), func(s string) bool { return strings.HasPrefix(s, "until") })
	})
}

func ears(t testing.TB, net *overlaytest.Net) []*ear {
	t.Helper()
	var out []*ear
	for _, n := range net.Nodes {
		out = append(out, listen(t, n, n.Mesh.ID()))
	}
	return out
}

func TestEveryoneHearsOnce(t *testing.T) {
	net := overlaytest.New(t, 5, overlaytest.Options{})
	es := ears(t, net)
	net.Full()
	for i, e := range es {
		e.shout(t, fmt.Sprint("from ", i))
	}
	for i, e := range es {
		overlaytest.Wait(t, "all shouts", func() bool { return len(e.got()) >= len(es)-1 })
		for j := range es {
			if want := i != j; e.has(fmt.Sprint("from ", j)) != want {
				t.Errorf("%d hears %d: %v", i, j, !want)
			}
		}
	}
}

// What is shouted the moment a peer is proved is heard by it, unless it takes longer than
// settleWait to be ready for it: not every time on a busy machine, but not never.
func TestFirstShout(t *testing.T) {
	first := 0
	for range 5 {
		net := overlaytest.New(t, 2, overlaytest.Options{})
		es := ears(t, net)
		net.Connect(0, 1)
		es[0].shout(t, "a")
		es[1].shout(t, "b")
		es[0].until(t, es[1])
		es[1].until(t, es[0])
		if es[0].has("b") && es[1].has("a") {
			first++
		}
	}
	if first == 0 {
		t.Error("no first shout was heard")
	}
}

func TestLateRouter(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a := listen(t, net.Nodes[0], net.Nodes[0].Mesh.ID())
	net.Connect(0, 1)
	b := listen(t, net.Nodes[1], net.Nodes[1].Mesh.ID())
	ctx, cancel := context.WithTimeout(context.Background(), overlaytest.Patience)
	defer cancel()
	if err := a.Wait(ctx, net.Nodes[1].ID()); err != nil {
		t.Fatal(err)
	}
	a.shout(t, "x")
	overlaytest.Wait(t, "x", func() bool { return b.has("x") })
	if ps := a.Peers(); len(ps) != 1 || ps[0] != net.Nodes[1].ID() {
		t.Errorf("peers %v", ps)
	}
}

func TestRelayingAndVerdicts(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{})
	es := ears(t, net)
	es[1].verdict = func(s string) gossip.Verdict {
		switch s {
		case "ignored":
			return gossip.Ignore
		case "rejected":
			return gossip.Reject
		}
		return gossip.Accept
	}
	net.Connect(0, 1)
	net.Connect(1, 2)
	for _, s := range []string{"ignored", "rejected"} {
		es[0].shout(t, s)
	}
	es[0].until(t, es[2])
	if es[2].has("ignored") || es[2].has("rejected") {
		t.Errorf("passed on what was not accepted: %v", es[2].got())
	}
}

func TestTwoMeshesOneConnection(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	first := ears(t, net)
	var second []*ear
	for _, n := range net.Nodes {
		m := overlaytest.NewMesh("second", n.Key)
		m.Admit(net.Nodes[0].Key.Public(), net.Nodes[1].Key.Public())
		n.Meshes.Join(m)
		second = append(second, listen(t, n, m.ID()))
	}
	net.Connect(0, 1)
	first[0].shout(t, "one")
	second[0].shout(t, "two")
	overlaytest.Wait(t, "one and two", func() bool { return first[1].has("one") && second[1].has("two") })
	if first[1].has("two") || second[1].has("one") {
		t.Error("a payload crossed meshes")
	}
}

func TestRemovalAndReconnect(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{})
	es := ears(t, net)
	net.Full()
	es[0].shout(t, "before")
	overlaytest.Wait(t, "before", func() bool { return es[1].has("before") && es[2].has("before") })

	net.Cut(0, 1)
	overlaytest.Wait(t, "the cut", func() bool { return len(es[0].Peers()) == 1 && len(es[1].Peers()) == 1 })
	es[0].until(t, es[1])
	net.Heal(0, 1)
	net.Connect(0, 1)
	overlaytest.Wait(t, "the healing", func() bool { return len(es[0].Peers()) == 2 && len(es[1].Peers()) == 2 })

	for _, n := range net.Nodes[:2] {
		n.Mesh.Remove(net.Nodes[2].Key.Public())
		n.Reprove()
	}
	overlaytest.Wait(t, "the removal", func() bool { return len(es[0].Peers()) == 1 && len(es[1].Peers()) == 1 })
	es[0].shout(t, "after")
	overlaytest.Wait(t, "after", func() bool { return es[1].has("after") })
	if es[2].has("after") {
		t.Error("a removed member still hears")
	}
}

func TestLimits(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	es := ears(t, net)
	net.Connect(0, 1)
	big := bytes.Repeat([]byte("x"), gossip.MaxPayload)
	es[0].shout(t, string(big))
	overlaytest.Wait(t, "the largest payload", func() bool { return es[1].has(string(big)) })
	if err := es[0].Shout(t.Context(), append(big, 'x')); !errors.Is(err, gossip.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	r, err := gossip.New(net.Nodes[0].Host, ident.MeshID{1})
	if err != nil {
		t.Fatal(err)
	}
	stop := overlaytest.Run(t, r.Run)
	stop()
	if err := r.Shout(t.Context(), []byte("x")); !errors.Is(err, gossip.ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
}
