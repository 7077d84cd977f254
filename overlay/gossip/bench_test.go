package gossip_test

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/overlaytest"
)

// lastOf measures from a publish by the first of ten to its arrival at the last.
func lastOf(b *testing.B, n int, arrived <-chan uint64, publish func([]byte)) {
	b.Helper()
	var took []time.Duration
	var i uint64
	for b.Loop() {
		i++
		p := make([]byte, 512)
		binary.BigEndian.PutUint64(p, i)
		begun := time.Now()
		publish(p)
		for got := 0; got < n-1; {
			select {
			case k := <-arrived:
				if k == i {
					got++
				}
			case <-time.After(overlaytest.Patience):
				b.Fatal("lost")
			}
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkLastOfTen is a shout until the last of ten hosts, each connected with each, has it. The
// floor is libp2p's gossipsub on the same hosts' connections, unsigned as ours.
func BenchmarkLastOfTen(b *testing.B) {
	const n = 10
	b.Run("floor=gossipsub", func(b *testing.B) {
		net := overlaytest.New(b, n, overlaytest.Options{})
		arrived := make(chan uint64, 1000)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		var first *pubsub.Topic
		for i, node := range net.Nodes {
			ps, err := pubsub.NewGossipSub(ctx, node.LibP2P(), pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
				pubsub.WithNoAuthor(), pubsub.WithFloodPublish(true),
				pubsub.WithMessageIdFn(func(m *pb.Message) string { return string(m.Data[:8]) }))
			if err != nil {
				b.Fatal(err)
			}
			topic, err := ps.Join("t")
			if err != nil {
				b.Fatal(err)
			}
			sub, err := topic.Subscribe()
			if err != nil {
				b.Fatal(err)
			}
			if i == 0 {
				first = topic
			}
			wg.Go(func() {
				for {
					m, err := sub.Next(ctx)
					if err != nil {
						return
					}
					if m.ReceivedFrom != node.ID() {
						arrived <- binary.BigEndian.Uint64(m.Data)
					}
				}
			})
		}
		net.Full()
		overlaytest.Wait(b, "subscriptions", func() bool { return len(first.ListPeers()) == n-1 })
		lastOf(b, n, arrived, func(p []byte) {
			if err := first.Publish(ctx, p); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("mesh", func(b *testing.B) {
		net := overlaytest.New(b, n, overlaytest.Options{})
		arrived := make(chan uint64, 1000)
		var first *gossip.Router
		for i, node := range net.Nodes {
			r, err := gossip.New(node.Host, node.Mesh.ID())
			if err != nil {
				b.Fatal(err)
			}
			r.Handle(func(_ peer.ID, p []byte) gossip.Verdict {
				arrived <- binary.BigEndian.Uint64(p)
				return gossip.Accept
			})
			overlaytest.Run(b, r.Run)
			if i == 0 {
				first = r
			}
		}
		net.Full()
		overlaytest.Wait(b, "subscriptions", func() bool { return len(first.Peers()) == n-1 })
		lastOf(b, n, arrived, func(p []byte) {
			if err := first.Shout(context.Background(), p); err != nil {
				b.Fatal(err)
			}
		})
	})
}
