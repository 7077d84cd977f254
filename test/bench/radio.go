package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/test/harness"
)

// radio is the floor under what is said to many: bare libp2p hosts, each connected
// with each, and bare gossipsub on them, unsigned.
type radio struct {
	hosts []host.Host
	first *pubsub.Topic
	heard chan uint64 // the number of a message, once per host that heard it
	said  uint64
	end   context.CancelFunc
	over  sync.WaitGroup
}

func newRadio(ctx context.Context, n int) (_ *radio, err error) {
	r := &radio{heard: make(chan uint64, 16*n)}
	life, end := context.WithCancel(context.Background())
	r.end = end
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	for i := range n {
		h, err := libp2p.New(
			libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics(),
			libp2p.ResourceManager(&network.NullResourceManager{}),
		)
		if err != nil {
			return nil, err
		}
		r.hosts = append(r.hosts, h)
		if err := r.listen(life, h, i == 0); err != nil {
			return nil, err
		}
	}
	for i, h := range r.hosts {
		for _, other := range r.hosts[:i] {
			if err := h.Connect(ctx, peer.AddrInfo{ID: other.ID(), Addrs: other.Addrs()}); err != nil {
				return nil, err
			}
		}
	}
	return r, harness.Until(ctx, func() (bool, any, error) {
		there := len(r.first.ListPeers())
		return there == n-1, there, nil
	})
}

// listen has a host hear what is said; the first is the one that says it.
func (r *radio) listen(ctx context.Context, h host.Host, first bool) error {
	ps, err := pubsub.NewGossipSub(ctx, h, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(),
		pubsub.WithFloodPublish(true), pubsub.WithMessageIdFn(func(m *pb.Message) string { return string(m.Data[:8]) }))
	if err != nil {
		return err
	}
	topic, err := ps.Join("floor")
	if err != nil {
		return err
	}
	if first {
		r.first = topic
	}
	sub, err := topic.Subscribe()
	if err != nil {
		return err
	}
	r.over.Go(func() {
		for {
			m, err := sub.Next(ctx)
			if err != nil {
				return // the end
			}
			if m.ReceivedFrom != h.ID() {
				r.heard <- binary.BigEndian.Uint64(m.Data)
			}
		}
	})
	return nil
}

func (r *radio) close() error {
	r.end()
	r.over.Wait()
	var err error
	for _, h := range r.hosts {
		err = errors.Join(err, h.Close())
	}
	return err
}

// say measures from a publish to its arrival at so many hosts, all that listen if 0.
func (r *radio) say(ctx context.Context, hosts int) (time.Duration, error) {
	if hosts == 0 {
		hosts = len(r.hosts) - 1
	}
	r.said++
	p := make([]byte, size)
	binary.BigEndian.PutUint64(p, r.said)
	began := time.Now()
	if err := r.first.Publish(ctx, p); err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	late := time.NewTimer(stall)
	defer late.Stop()
	for got := 0; got < hosts; {
		select {
		case n := <-r.heard:
			if n == r.said {
				got++
			}
		case <-late.C:
			return 0, fmt.Errorf("floor: %d of %d heard it", got, hosts)
		}
	}
	return time.Since(began), nil
}
