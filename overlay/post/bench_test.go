package post

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

const (
	protoEcho = "/bench/echo"
	protoPost = "/bench/post"
	letterLen = 512
)

// overTCP makes w's streams libp2p streams over TCP, Noise and Yamux on
// loopback, and returns a bare echo stream over the same connection.
func (w *pair) overTCP(b *testing.B) network.Stream {
	near, far := newHost(b), newHost(b)
	far.SetStreamHandler(protoEcho, func(s network.Stream) { _, _ = io.Copy(s, s) })
	far.SetStreamHandler(protoPost, func(s network.Stream) { w.bob.post.Serve(context.Background(), w.back(), s) })
	if err := near.Connect(b.Context(), peer.AddrInfo{ID: far.ID(), Addrs: far.Addrs()}); err != nil {
		b.Fatal(err)
	}
	w.ana.post.cfg.Streams = opener(func(ctx context.Context) (Stream, Peer, error) {
		s, err := near.NewStream(ctx, far.ID(), protoPost)
		return s, w.peer, err
	})
	echo, err := near.NewStream(b.Context(), far.ID(), protoEcho)
	if err != nil {
		b.Fatal(err)
	}
	return echo
}

type opener func(ctx context.Context) (Stream, Peer, error)

func (o opener) Open(ctx context.Context, _ ident.MeshID, _ ident.PublicKey) (Stream, Peer, error) {
	return o(ctx)
}

func newHost(b *testing.B) host.Host {
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = h.Close() })
	return h
}

// BenchmarkRoundTrip measures Send → Deliver (which does nothing) → Receipt beside
// a bare echo of the same number of bytes, one after the other in the same run.
func BenchmarkRoundTrip(b *testing.B) {
	w := newPair(b)
	w.bob.post.cfg.Deliver = func(context.Context, ident.MeshID, ident.PublicKey, [][]byte) ([]byte, error) {
		return make([]byte, 150), nil
	}
	done := make(chan time.Time, 1)
	w.ana.post.cfg.Receipt = func(context.Context, ident.MeshID, ident.PublicKey, []byte) { done <- time.Now() }
	echo := w.overTCP(b)
	w.start()
	letter, back := make([]byte, letterLen), make([]byte, letterLen)
	post := func() time.Duration {
		start := time.Now()
		if err := w.ana.post.Send(b.Context(), testMesh, w.bob.key.Public(), letter); err != nil {
			b.Fatal(err)
		}
		return (<-done).Sub(start)
	}
	bare := func() time.Duration {
		start := time.Now()
		if _, err := echo.Write(letter); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(echo, back); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	post()
	bare()
	var posts, bares []time.Duration
	for b.Loop() {
		posts = append(posts, post())
		bares = append(bares, bare())
	}
	slices.Sort(posts)
	slices.Sort(bares)
	p50 := func(d []time.Duration) float64 { return float64(d[len(d)/2].Nanoseconds()) / 1e3 }
	p99 := func(d []time.Duration) float64 { return float64(d[len(d)*99/100].Nanoseconds()) / 1e3 }
	b.ReportMetric(p50(bares), "µs-echo")
	b.ReportMetric(p50(posts), "µs-post")
	b.ReportMetric(p99(posts), "µs-post-p99")
	b.ReportMetric(p50(posts)/p50(bares), "ratio")
}

// BenchmarkInFlight posts from 100 callers at once; the metric is letters per second.
func BenchmarkInFlight(b *testing.B) {
	w := newPair(b)
	w.bob.post.cfg.Deliver = func(context.Context, ident.MeshID, ident.PublicKey, [][]byte) ([]byte, error) {
		return make([]byte, 150), nil
	}
	w.ana.post.cfg.Receipt = func(context.Context, ident.MeshID, ident.PublicKey, []byte) {}
	w.overTCP(b)
	w.start()
	letter := make([]byte, letterLen)
	var all sync.WaitGroup
	b.ResetTimer()
	for c := range 100 {
		all.Go(func() {
			for range (b.N + 99 - c) / 100 {
				if err := w.ana.post.Send(b.Context(), testMesh, w.bob.key.Public(), letter); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "letters/s")
}

// BenchmarkOpen measures a first letter with its receipt: the public-key work of a new stream.
func BenchmarkOpen(b *testing.B) {
	w := newPair(b)
	done := make(chan struct{}, 1)
	w.ana.post.cfg.Receipt = func(context.Context, ident.MeshID, ident.PublicKey, []byte) { done <- struct{}{} }
	w.overTCP(b)
	w.start()
	for b.Loop() {
		if err := w.ana.post.Send(b.Context(), testMesh, w.bob.key.Public(), []byte("x")); err != nil {
			b.Fatal(err)
		}
		<-done
		w.ana.post.Renew(testMesh)
	}
}
