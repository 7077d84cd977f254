package host_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/overlaytest"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), overlaytest.Patience)
	t.Cleanup(cancel)
	return ctx
}

func echo(_ context.Context, s *host.Stream) { io.Copy(s, s) }

// ping sends text over a new stream from a to b and returns what comes back.
func ping(ctx context.Context, a, b *overlaytest.Node, proto, text string) (string, error) {
	s, err := a.Open(ctx, a.Mesh.ID(), b.ID(), proto)
	if err != nil {
		return "", err
	}
	defer s.Close()
	if _, err := io.WriteString(s, text); err != nil {
		return "", err
	}
	if err := s.CloseWrite(); err != nil {
		return "", err
	}
	out, err := io.ReadAll(s)
	return string(out), err
}

func TestStreamsOverEachTransport(t *testing.T) {
	for _, o := range []overlaytest.Options{{}, {QUIC: true}} {
		net := overlaytest.New(t, 2, o)
		a, b := net.Nodes[0], net.Nodes[1]
		who := make(chan host.Peer, 1)
		b.Handle("echo/1", 4, func(ctx context.Context, s *host.Stream) {
			who <- s.Peer
			echo(ctx, s)
		})
		net.Connect(0, 1)
		got, err := ping(within(t), a, b, "echo/1", "hello")
		if err != nil || got != "hello" {
			t.Fatalf("quic %v: %q, %v", o.QUIC, got, err)
		}
		p := <-who
		if p.Key != a.Key.Public() || p.Peer != a.ID() || p.Mesh != b.Mesh.ID() || !p.Member || p.Initiator {
			t.Errorf("peer of the stream: %+v", p)
		}
		mine := a.Peers(a.Mesh.ID())[0]
		if mine.ProofID != p.OwnProofID || mine.OwnProofID != p.ProofID || !mine.Initiator {
			t.Errorf("the two ends see different proofs: %+v, %+v", mine, p)
		}
		path, ok := a.Path(b.ID())
		if !ok || path.Kind != host.Local || path.RTT <= 0 {
			t.Errorf("path %+v, %v", path, ok)
		}
	}
}

// Who was dialled knows where the other one listens, and could dial it from then on.
func TestWhoWasDialledKnowsTheAddresses(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	net.Connect(0, 1)
	known := b.AddrsOf(within(t), a.ID())
	for _, addr := range a.Addrs() {
		bare, _ := peer.SplitAddr(addr)
		if !slices.ContainsFunc(known, bare.Equal) {
			t.Errorf("%s is not among %v", bare, known)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{Strangers: 1})
	a, b, c := net.Nodes[0], net.Nodes[1], net.Nodes[2]
	ctx := within(t)
	if _, err := ping(ctx, a, b, "echo/1", ""); !errors.Is(err, host.ErrOffline) {
		t.Errorf("before connecting: %v", err)
	}
	net.Connect(0, 1)
	net.Connect(0, 2)
	if _, err := ping(ctx, a, b, "echo/1", ""); !errors.Is(err, host.ErrUnsupported) {
		t.Errorf("a protocol nobody serves: %v", err)
	}
	if _, err := ping(ctx, a, c, "echo/1", ""); !errors.Is(err, host.ErrNotProved) {
		t.Errorf("a stranger: %v", err)
	}
	idle, err := host.New(host.Config{Key: overlaytest.NewKey(t), Meshes: a.Meshes, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := idle.Connect(ctx, a.Info()); !errors.Is(err, host.ErrStopped) {
		t.Errorf("a host that does not run: %v", err)
	}
	if err := idle.Close(); err != nil {
		t.Error(err)
	}
	if _, err := host.New(host.Config{}); !errors.Is(err, host.ErrConfig) {
		t.Errorf("empty config: %v", err)
	}
}

func TestBothDialAtOnce(t *testing.T) {
	for range 5 {
		net := overlaytest.New(t, 2, overlaytest.Options{})
		a, b := net.Nodes[0], net.Nodes[1]
		a.Handle("echo/1", 4, echo)
		b.Handle("echo/1", 4, echo)
		var wg sync.WaitGroup
		for _, w := range [][2]int{{0, 1}, {1, 0}} {
			wg.Go(func() {
				if err := net.Dial(w[0], w[1]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		overlaytest.Wait(t, "proof", func() bool { return a.HasProved(b) && b.HasProved(a) })
		for _, way := range [][2]*overlaytest.Node{{a, b}, {b, a}} {
			if got, err := ping(within(t), way[0], way[1], "echo/1", "x"); got != "x" {
				t.Fatalf("%q, %v", got, err)
			}
		}
	}
}

// A peer stays proved until its last proved connection is gone, and Mesh hears of it once.
func TestTwoConnections(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	b.Handle("echo/1", 4, echo)
	net.ConnectTwice(0, 1)
	again := make(chan struct{})
	stop := a.Watch(a.Mesh.ID(), func(p host.Peer, proved bool) {
		if !proved {
			close(again)
		}
	})
	defer stop()
	conns := a.LibP2P().Network().ConnsToPeer(b.ID())
	conns[0].Close()
	overlaytest.Wait(t, "one connection", func() bool { return a.Links(b) == 1 && b.Links(a) == 1 })
	if got, err := ping(within(t), a, b, "echo/1", "x"); got != "x" {
		t.Fatalf("after losing one of two connections: %q, %v", got, err)
	}
	if ev := a.Mesh.Events(); len(ev) != 1 || !ev[0].Proved {
		t.Errorf("events %v", ev)
	}
	conns[1].Close()
	select {
	case <-again:
	case <-within(t).Done():
		t.Fatal("Lost was not told")
	}
	overlaytest.Wait(t, "Lost", func() bool {
		ev := a.Mesh.Events()
		return len(ev) == 2 && !ev[1].Proved && ev[1].Peer.Key == b.Key.Public()
	})
}

func TestStrangerSeesNothing(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{Strangers: 1})
	a, b, c := net.Nodes[0], net.Nodes[1], net.Nodes[2]
	net.Connect(0, 1)
	net.Connect(2, 0)
	var protos []string
	overlaytest.Wait(t, "identify", func() bool {
		ps, err := c.LibP2P().Peerstore().GetProtocols(a.ID())
		protos = nil
		for _, p := range ps {
			protos = append(protos, string(p))
		}
		return err == nil && len(ps) > 0
	})
	want := map[string]bool{
		"/claudemesh/hello/1": true, "/claudemesh/mesh/1": true,
		"/ipfs/id/1.0.0": true, "/ipfs/id/push/1.0.0": true, "/ipfs/ping/1.0.0": true,
	}
	for _, p := range protos {
		if !want[p] {
			t.Errorf("a stranger is shown %s", p)
		}
	}
	overlaytest.Wait(t, "the agent", func() bool {
		agent, err := c.LibP2P().Peerstore().Get(a.ID(), "AgentVersion")
		return err == nil && agent == "claudemesh"
	})
	for _, n := range []*overlaytest.Node{a, b} {
		for _, p := range n.Peers(n.Mesh.ID()) {
			if p.Peer == c.ID() {
				t.Error("the stranger is proved")
			}
		}
	}
}

// What is wrong with a mesh stream, its opener sees a reset and no byte.
func TestBadStreamsLookAlike(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{Strangers: 1})
	a, c := net.Nodes[0], net.Nodes[2]
	net.Connect(0, 1)
	net.Connect(2, 0)
	net.Connect(1, 0)
	for name, head := range overlaytest.BadHeaders(a) {
		s := overlaytest.RawStream(t, c, a, host.ProtoMesh)
		s.SetDeadline(time.Now().Add(overlaytest.Patience))
		s.Write(head)
		s.CloseWrite()
		got, err := io.ReadAll(s)
		if len(got) != 0 || err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
		s.Reset()
	}
}

func TestSyncBeforeProof(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{Strangers: 2})
	a, b := net.Nodes[0], net.Nodes[1]
	join(a, "m")
	join(b, "m")
	// b is not known to a; each learns of the other by the exchange alone. The acceptor is slow: what
	// the dialler opens meanwhile waits for it.
	release := make(chan struct{})
	b.Mesh.OnSync(func(bool) error { <-release; return nil })
	b.Handle("echo/1", 4, echo)
	dialled := make(chan error, 1)
	go func() { dialled <- net.Dial(0, 1) }()
	overlaytest.Wait(t, "sync to begin", func() bool { return b.Mesh.Syncs() == 1 })
	if a.HasProved(b) || b.HasProved(a) {
		t.Fatal("proved before the logs were exchanged")
	}
	close(release)
	if err := <-dialled; err != nil {
		t.Fatal(err)
	}
	if got, err := ping(within(t), a, b, "echo/1", "x"); got != "x" {
		t.Fatalf("%q, %v", got, err)
	}
	if a.Mesh.Syncs() != 1 || b.Mesh.Syncs() != 1 {
		t.Errorf("syncs: %d, %d", a.Mesh.Syncs(), b.Mesh.Syncs())
	}
	ctx := within(t)
	if err := b.Sync(ctx, b.Mesh.ID(), a.ID()); err != nil {
		t.Errorf("sync again, the other way: %v", err)
	}
}

func join(n *overlaytest.Node, secret string) {
	n.Mesh = overlaytest.NewMesh(secret, n.Key)
	n.Meshes.Join(n.Mesh)
}

func TestRemovedPeer(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	ended := make(chan struct{})
	b.Handle("wait/1", 1, func(ctx context.Context, s *host.Stream) {
		<-ctx.Done()
		close(ended)
	})
	net.Connect(0, 1)
	s, err := a.Open(within(t), a.Mesh.ID(), b.ID(), "wait/1")
	if err != nil {
		t.Fatal(err)
	}
	b.Mesh.Remove(a.Key.Public())
	b.Reprove()
	<-ended
	s.SetDeadline(time.Now().Add(overlaytest.Patience))
	if _, err := s.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the stream of a removed member: %v", err)
	}
	s.Reset()
	if b.HasProved(a) {
		t.Error("still proved after Reprove returned")
	}
	// a still holds b for proved; refused streams make it shake hands again and learn of its removal.
	overlaytest.Wait(t, "a to learn", func() bool {
		_, err := a.Open(context.Background(), a.Mesh.ID(), b.ID(), "wait/1")
		return errors.Is(err, host.ErrNotProved) && a.Mesh.Syncs() > 0
	})
	if b.HasProved(a) {
		t.Error("proved again")
	}
}

func TestJoinAndLeave(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	net.Connect(0, 1)
	ma, mb := overlaytest.NewMesh("other", a.Key), overlaytest.NewMesh("other", b.Key)
	for _, m := range []*overlaytest.Mesh{ma, mb} {
		m.Admit(a.Key.Public(), b.Key.Public())
	}
	a.Meshes.Join(ma)
	a.Reprove()
	// The second to join shakes hands, though the other one dialled.
	b.Meshes.Join(mb)
	b.Reprove()
	proved := func() bool { return len(a.Peers(ma.ID())) == 1 && len(b.Peers(mb.ID())) == 1 }
	overlaytest.Wait(t, "the other mesh", proved)
	a.Meshes.Leave(ma)
	a.Reprove()
	overlaytest.Wait(t, "Lost", func() bool { return len(ma.Events()) == 2 })
	if len(a.Peers(a.Mesh.ID())) != 1 {
		t.Error("leaving one mesh closed the other")
	}
	// Back again: b's old idea of it must not be in the way.
	a.Meshes.Join(ma)
	a.Reprove()
	overlaytest.Wait(t, "back in the other mesh", proved)
	b.Handle("echo/1", 4, echo)
	a.Mesh = ma
	if got, err := ping(within(t), a, b, "echo/1", "x"); got != "x" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestDrop(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	net.Connect(0, 1)
	a.Drop(a.Mesh.ID(), b.Key.Public())
	if a.HasProved(b) {
		t.Error("proved after Drop")
	}
	if !a.Connected(b.ID()) {
		t.Error("Drop closed the connection")
	}
}

func TestTamperedProof(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	b.Mesh.Tamper(func(p []byte) []byte {
		p = bytes.Clone(p)
		p[len(p)-1] ^= 1
		return p
	})
	if err := net.Dial(0, 1); err != nil {
		t.Fatal(err)
	}
	if a.HasProved(b) {
		t.Error("a forged proof was taken")
	}
}

// A proof made for one connection is worth nothing on another.
func TestReplayedProof(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{})
	a, b, c := net.Nodes[0], net.Nodes[1], net.Nodes[2]
	var old []byte
	c.Mesh.Tamper(func(p []byte) []byte { old = p; return p })
	net.Connect(2, 1)
	c.Mesh.Tamper(func([]byte) []byte { return old })
	if err := net.Dial(0, 2); err != nil {
		t.Fatal(err)
	}
	b.Disconnect(c.ID())
	overlaytest.Wait(t, "the end of the first connection", func() bool { return !c.Connected(b.ID()) })
	if err := net.Dial(1, 2); err != nil {
		t.Fatal(err)
	}
	if a.HasProved(c) || b.HasProved(c) {
		t.Error("a replayed proof was taken")
	}
}

func TestMaxStreams(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	b.Handle("wait/1", 2, func(ctx context.Context, s *host.Stream) { io.Copy(io.Discard, s) })
	net.Connect(0, 1)
	var held []*host.Stream
	for range 2 {
		s, err := a.Open(within(t), a.Mesh.ID(), b.ID(), "wait/1")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, s)
	}
	if _, err := a.Open(within(t), a.Mesh.ID(), b.ID(), "wait/1"); !errors.Is(err, host.ErrBusy) {
		t.Errorf("the third of two streams: %v", err)
	}
	held[0].Close()
	overlaytest.Wait(t, "a free place", func() bool {
		s, err := a.Open(within(t), a.Mesh.ID(), b.ID(), "wait/1")
		if err == nil {
			s.Close()
		}
		return err == nil
	})
	held[1].Close()
}

func TestDeadConnectionIsNoticed(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{PingEvery: 50 * time.Millisecond})
	a, b := net.Nodes[0], net.Nodes[1]
	f := overlaytest.NewForwarder(t, b)
	if err := a.Connect(within(t), peer.AddrInfo{ID: b.ID(), Addrs: f.Addrs()}); err != nil {
		t.Fatal(err)
	}
	overlaytest.Wait(t, "proof", func() bool { return a.HasProved(b) && b.HasProved(a) })
	f.Freeze()
	overlaytest.Wait(t, "both to notice", func() bool { return !a.HasProved(b) && !b.HasProved(a) })
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
