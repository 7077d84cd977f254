package overlaytest

import (
	"bytes"
	"context"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/claudemesh/claudemesh/overlay/wire"
)

// RawStream opens a libp2p stream from one node to another, which are connected, around the mesh
// handshake: what somebody hostile would do.
func RawStream(t testing.TB, from, to *Node, proto protocol.ID) network.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	s, err := from.LibP2P().NewStream(ctx, to.ID(), proto)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// BadHeaders are beginnings of mesh streams nobody may accept, by what is wrong with them.
func BadHeaders(of *Node) map[string][]byte {
	frame := func(h wire.Header) []byte { return wire.AppendFrame(nil, h.Marshal()) }
	good := wire.Header{Tag: wire.Tag{1, 2, 3}, Protos: []string{"log/1"}}
	return map[string][]byte{
		"a made-up tag":           frame(good),
		"a made-up tag, no log":   frame(wire.Header{Tag: good.Tag, Protos: []string{"echo/1"}}),
		"the tag key as a tag":    frame(wire.Header{Tag: of.Mesh.TagKey(), Protos: []string{"log/1"}}),
		"no inner protocol":       frame(wire.Header{Tag: good.Tag}),
		"an oversized frame":      wire.AppendFrame(nil, make([]byte, wire.MaxHeaderFrame+1)),
		"a length of 4 GiB":       {0xff, 0xff, 0xff, 0xff, 0x0f},
		"a cut off frame":         frame(good)[:10],
		"nothing":                 {},
		"no fields":               wire.AppendFrame(nil, bytes.Repeat([]byte{0xee}, 40)),
		"a longer form of length": {0x80, 0x00},
	}
}

// ConnectTwice makes two connections between i and j, each dialled by another side, and waits until
// both are proved on both sides.
func (n *Net) ConnectTwice(i, j int) {
	n.t.Helper()
	a, b := n.Nodes[i], n.Nodes[j]
	f := NewForwarder(n.t, b)
	f.Freeze()
	dialled := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		dialled <- a.Connect(ctx, peer.AddrInfo{ID: b.ID(), Addrs: f.Addrs()})
	}()
	Wait(n.t, "a dial to hang", func() bool { return f.Conns() > 0 })
	n.Connect(j, i)
	f.Thaw()
	if err := <-dialled; err != nil {
		n.t.Fatal(err)
	}
	Wait(n.t, "two proved connections", func() bool { return a.Links(b) == 2 && b.Links(a) == 2 })
}

// Links is how many proved handshakes n has with other.
func (n *Node) Links(other *Node) int { return n.Host.Links(n.Mesh.ID(), other.ID()) }
