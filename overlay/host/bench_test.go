package host_test

import (
	"context"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/overlaytest"
)

const bareEcho = "/test/echo/1"

// pair returns two proved hosts, the second of which echoes both on a mesh stream and on a bare one.
func pair(b *testing.B) (*overlaytest.Node, *overlaytest.Node) {
	b.Helper()
	net := overlaytest.New(b, 2, overlaytest.Options{Limits: host.Limits{StreamBurst: 1 << 30}})
	x, y := net.Nodes[0], net.Nodes[1]
	y.Handle("echo/1", 1000, echo)
	y.LibP2P().SetStreamHandler(bareEcho, func(s network.Stream) {
		io.Copy(s, s)
		s.Close()
	})
	net.Connect(0, 1)
	return x, y
}

func rounds(b *testing.B, s io.ReadWriter) {
	b.Helper()
	out, in := make([]byte, 512), make([]byte, 512)
	for b.Loop() {
		if _, err := s.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(s, in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoundTrip is 512 bytes there and back on one stream. The floor is the bare libp2p stream.
func BenchmarkRoundTrip(b *testing.B) {
	x, y := pair(b)
	b.Run("floor=libp2p", func(b *testing.B) {
		s, err := x.LibP2P().NewStream(context.Background(), y.ID(), bareEcho)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Reset()
		rounds(b, s)
	})
	b.Run("mesh", func(b *testing.B) {
		s, err := x.Open(context.Background(), x.Mesh.ID(), y.ID(), "echo/1")
		if err != nil {
			b.Fatal(err)
		}
		defer s.Reset()
		rounds(b, s)
	})
}

// BenchmarkNewStream is a new stream for each 512 bytes there and back. The floor is the bare libp2p
// stream, which needs no answer before it may be used.
func BenchmarkNewStream(b *testing.B) {
	x, y := pair(b)
	msg, in := make([]byte, 512), make([]byte, 512)
	once := func(s interface {
		io.ReadWriteCloser
		CloseWrite() error
	}) error {
		if _, err := s.Write(msg); err != nil {
			return err
		}
		if err := s.CloseWrite(); err != nil {
			return err
		}
		if _, err := io.ReadFull(s, in); err != nil {
			return err
		}
		return s.Close()
	}
	b.Run("floor=libp2p", func(b *testing.B) {
		for b.Loop() {
			s, err := x.LibP2P().NewStream(context.Background(), y.ID(), bareEcho)
			if err == nil {
				err = once(s)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("mesh", func(b *testing.B) {
		for b.Loop() {
			s, err := x.Open(context.Background(), x.Mesh.ID(), y.ID(), "echo/1")
			if err == nil {
				err = once(s)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkConnect is a dial until both sides have proved themselves, and the end of the connection.
// The floor is the bare libp2p dial.
func BenchmarkConnect(b *testing.B) {
	net := overlaytest.New(b, 2, overlaytest.Options{Limits: host.Limits{HelloBurst: 1 << 30}})
	x, y := net.Nodes[0], net.Nodes[1]
	run := func(b *testing.B, dial func()) {
		for b.Loop() {
			dial()
			b.StopTimer()
			x.Disconnect(y.ID())
			overlaytest.Wait(b, "the end", func() bool { return !y.Connected(x.ID()) && !x.HasProved(y) && !y.HasProved(x) })
			b.StartTimer()
		}
	}
	info := y.Info()
	b.Run("floor=libp2p", func(b *testing.B) {
		run(b, func() {
			x.LibP2P().Peerstore().AddAddrs(info.ID, info.Addrs, 1<<40)
			if _, err := x.LibP2P().Network().DialPeer(context.Background(), info.ID); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("mesh", func(b *testing.B) {
		run(b, func() {
			if err := x.Connect(context.Background(), info); err != nil {
				b.Fatal(err)
			}
			for !x.HasProved(y) {
				<-x.Changed()
			}
		})
	})
}
