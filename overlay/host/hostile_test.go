package host_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/overlaytest"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// isReset reports whether the other side resets s without another byte.
func isReset(s network.Stream) bool {
	s.SetReadDeadline(time.Now().Add(overlaytest.Patience))
	n, err := s.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, network.ErrReset)
}

func TestBadHellos(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{Strangers: 1})
	a, b, c := net.Nodes[0], net.Nodes[1], net.Nodes[2]
	net.Connect(2, 0)
	hello := wire.AppendFrame(nil, wire.Hello{Nonce: wire.Nonce{1}}.Marshal())
	proof := func(n int) []byte {
		return wire.AppendFrame(nil, wire.Proof{Proof: make([]byte, n)}.Marshal())
	}
	for name, tc := range map[string]struct {
		offered bool // after a good hello and the offer
		in      []byte
	}{
		"an oversized frame":     {false, wire.AppendFrame(nil, make([]byte, wire.MaxHelloFrame+1))},
		"a length of 4 GiB":      {false, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}},
		"garbage":                {false, wire.AppendFrame(nil, bytes.Repeat([]byte{0x5a}, 99))},
		"an empty frame":         {false, []byte{0}},
		"a tag of no mesh":       {true, proof(10)},
		"an oversized proof":     {true, proof(wire.MaxProof + 1)},
		"an oversized last step": {true, wire.AppendFrame(nil, make([]byte, wire.MaxHelloFrame+1))},
	} {
		t.Run(name, func(t *testing.T) {
			s := overlaytest.RawStream(t, c, a, host.ProtoHello)
			defer s.Reset()
			if tc.offered {
				s.Write(hello)
				b, err := wire.ReadFrame(s, wire.MaxHelloFrame)
				if err != nil {
					t.Fatal(err)
				}
				o, err := wire.ParseOffer(b)
				if err != nil || len(o.Tags) != wire.TagStep {
					t.Fatalf("%d tags, %v", len(o.Tags), err)
				}
			}
			s.Write(tc.in)
			if !isReset(s) {
				t.Error("not reset")
			}
		})
	}
	net.Connect(1, 0)
	if !a.HasProved(b) || len(a.Peers(a.Mesh.ID())) != 1 {
		t.Error("the wrong ones are proved")
	}
}

// halfOpen writes the beginning of a frame on s, holds s open, and counts it when it is reset.
func halfOpen(t *testing.T, s network.Stream, refused *atomic.Int32) {
	t.Helper()
	s.Write([]byte{10})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if isReset(s) {
			refused.Add(1)
		}
	}()
	t.Cleanup(func() {
		s.Reset()
		<-done
	})
}

// A flood of handshakes that go nowhere is cut off, and does not keep others out.
func TestHelloFlood(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{Strangers: 1})
	a, c := net.Nodes[0], net.Nodes[2]
	net.Connect(2, 0)
	var refused atomic.Int32
	for range 40 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		s, err := c.LibP2P().NewStream(ctx, a.ID(), host.ProtoHello)
		cancel()
		if err != nil {
			refused.Add(1) // by the resource manager
			continue
		}
		halfOpen(t, s, &refused)
	}
	overlaytest.Wait(t, "all but two to be cut off", func() bool { return refused.Load() >= 38 })
	net.Connect(1, 0)
}

func TestHellosPerAddress(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{
		Strangers: 1, Limits: host.Limits{HelloBurst: 3, HelloRate: 0.001},
	})
	a, c := net.Nodes[0], net.Nodes[1]
	net.Connect(1, 0)
	for i := range 5 {
		s := overlaytest.RawStream(t, c, a, host.ProtoHello)
		s.Write(wire.AppendFrame(nil, wire.Hello{}.Marshal()))
		_, err := wire.ReadFrame(s, wire.MaxHelloFrame)
		if (err == nil) != (i < 3) {
			t.Errorf("handshake %d of 3: %v", i, err)
		}
		s.Reset()
	}
}

// Streams without a header are cut off beyond a number, and do not keep a member's out.
func TestHalfOpenStreams(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{Strangers: 1, Limits: host.Limits{Waiting: 4}})
	a, b, c := net.Nodes[0], net.Nodes[1], net.Nodes[2]
	a.Handle("echo/1", 4, echo)
	net.Connect(2, 0)
	net.Connect(1, 0)
	var refused atomic.Int32
	for range 12 {
		halfOpen(t, overlaytest.RawStream(t, c, a, host.ProtoMesh), &refused)
	}
	overlaytest.Wait(t, "8 of 12 to be cut off", func() bool { return refused.Load() >= 8 })
	if got, err := ping(within(t), b, a, "echo/1", "x"); got != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestStreamRate(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{Limits: host.Limits{StreamBurst: 5, StreamRate: 0.001}})
	a, b := net.Nodes[0], net.Nodes[1]
	b.Handle("echo/1", 4, echo)
	net.Connect(0, 1)
	for range 5 {
		if got, err := ping(within(t), a, b, "echo/1", "x"); got != "x" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if _, err := ping(within(t), a, b, "echo/1", "x"); !errors.Is(err, host.ErrBusy) {
		t.Errorf("the sixth of five streams: %v", err)
	}
}

func TestStrangers(t *testing.T) {
	net := overlaytest.New(t, 3, overlaytest.Options{
		Strangers: 2, Limits: host.Limits{StrangerBurst: 4, StrangerPerMinute: 0.001, Strangers: 2},
	})
	a, b, c := net.Nodes[0], net.Nodes[1], net.Nodes[2]
	release, waiting := make(chan struct{}), make(chan struct{}, 2)
	a.HandleStranger("/test/join/1", func(_ context.Context, s *host.Stream) {
		if s.Peer.Peer != b.ID() && s.Peer.Peer != c.ID() || !s.Peer.Key.IsZero() {
			t.Errorf("a stranger is %+v", s.Peer)
		}
		b := make([]byte, 1)
		if io.ReadFull(s, b); b[0] == 'w' {
			waiting <- struct{}{}
			<-release
		}
		s.Write([]byte("hi"))
	})
	net.Connect(1, 0)
	net.Connect(2, 0)
	ask := func(n *overlaytest.Node, what string) *host.Stream {
		t.Helper()
		s, err := n.OpenStranger(within(t), a.ID(), "/test/join/1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Reset() })
		io.WriteString(s, what)
		return s
	}
	answer := func(s *host.Stream) string {
		s.SetReadDeadline(time.Now().Add(overlaytest.Patience))
		b, _ := io.ReadAll(s)
		return string(b)
	}
	if got := answer(ask(b, "x")); got != "hi" {
		t.Errorf("one stranger: %q", got)
	}
	held := []*host.Stream{ask(b, "w"), ask(c, "w")}
	<-waiting
	<-waiting
	if got := answer(ask(b, "x")); got != "" {
		t.Errorf("the third of two at once: %q", got)
	}
	close(release)
	for _, s := range held {
		if got := answer(s); got != "hi" {
			t.Errorf("after waiting: %q", got)
		}
	}
	if got := answer(ask(c, "x")); got != "" {
		t.Errorf("the fifth of four from one address: %q", got)
	}
	if _, err := b.OpenStranger(within(t), c.ID(), "/test/join/1"); !errors.Is(err, host.ErrOffline) {
		t.Errorf("not connected: %v", err)
	}
}

func TestLoopbackOnly(t *testing.T) {
	net := overlaytest.New(t, 1, overlaytest.Options{})
	a := net.Nodes[0]
	if !a.LoopbackOnly() {
		t.Error("not loopback only")
	}
	other, err := peer.IDFromPrivateKey(overlaytest.NewKey(t))
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	err = a.Connect(within(t), peer.AddrInfo{ID: other, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/1")}})
	if !errors.Is(err, host.ErrOffline) || time.Since(begun) > 5*time.Second {
		t.Errorf("dialling away from loopback: %v after %v", err, time.Since(begun))
	}
	if err := a.Connect(within(t), a.Info()); !errors.Is(err, host.ErrConfig) {
		t.Errorf("dialling itself: %v", err)
	}
}

func TestCutAndHeal(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	net.Connect(0, 1)
	net.Cut(0, 1)
	overlaytest.Wait(t, "the cut", func() bool { return !a.HasProved(b) && !b.HasProved(a) })
	if err := net.Dial(0, 1); !errors.Is(err, host.ErrOffline) {
		t.Errorf("through a cut: %v", err)
	}
	net.Heal(0, 1)
	net.Connect(1, 0)
}

// A peer that comes back under another member key is that member from then on.
func TestNewestKeyCounts(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	a, b := net.Nodes[0], net.Nodes[1]
	net.Connect(0, 1)
	old, key := b.Mesh, overlaytest.NewMember(t)
	a.Mesh.Admit(key.Public())
	b.Mesh = overlaytest.NewMesh("secret", key)
	b.Mesh.Admit(a.Key.Public(), b.Key.Public())
	b.Meshes.Leave(old)
	b.Meshes.Join(b.Mesh)
	b.Reprove()
	overlaytest.Wait(t, "the new key", func() bool {
		ps := a.Peers(a.Mesh.ID())
		return len(ps) == 1 && ps[0].Key == key.Public() && b.HasProved(a)
	})
	overlaytest.Wait(t, "the news", func() bool { return len(a.Mesh.Events()) == 3 })
	ev := a.Mesh.Events()
	if !ev[0].Proved || ev[1].Proved || ev[1].Peer.Key != b.Key.Public() || !ev[2].Proved || ev[2].Peer.Key != key.Public() {
		t.Errorf("events %v", ev)
	}
}
