package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/store"
)

// size is that of what is sent and stored for a floor, and of messages.
const size = 512

const echo = "/bench/echo"

// floors is a stream between two bare hosts, and a bare store.
type floors struct {
	near, far host.Host
	stream    network.Stream
	db        *store.DB
	over      sync.WaitGroup
	written   uint64
}

// newFloors opens the store in dir.
func newFloors(ctx context.Context, dir string) (_ *floors, err error) {
	f := &floors{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	for _, h := range []*host.Host{&f.near, &f.far} {
		if *h, err = libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay()); err != nil {
			return nil, err
		}
	}
	f.far.SetStreamHandler(echo, func(s network.Stream) { _, _ = io.Copy(s, s) })
	if err := f.near.Connect(ctx, peer.AddrInfo{ID: f.far.ID(), Addrs: f.far.Addrs()}); err != nil {
		return nil, err
	}
	if f.stream, err = f.near.NewStream(ctx, f.far.ID(), echo); err != nil {
		return nil, err
	}
	if f.db, err = store.Open(store.Config{Path: filepath.Join(dir, "floor.db"), Schema: 1}); err != nil {
		return nil, err
	}
	f.over.Go(func() { _ = f.db.Run(context.Background()) }) // ends with close
	return f, nil
}

func (f *floors) close() error {
	var err error
	if f.db != nil {
		err = f.db.Close()
	}
	f.over.Wait()
	for _, h := range []host.Host{f.near, f.far} {
		if h != nil {
			err = errors.Join(err, h.Close())
		}
	}
	return err
}

// both measures F: a round trip, then a commit.
func (f *floors) both() (time.Duration, error) {
	began := time.Now()
	buf := make([]byte, size)
	if _, err := f.stream.Write(buf); err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	if _, err := io.ReadFull(f.stream, buf); err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	f.written++
	if err := f.put(f.written); err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	return time.Since(began), nil
}

func (f *floors) put(n uint64) error {
	return f.db.Update(context.Background(), func(tx *store.Tx) error {
		return tx.Bucket("floor").Put(binary.BigEndian.AppendUint64(nil, n), make([]byte, size))
	})
}

// commits is how many commits a second the store does for so many writers.
func (f *floors) commits(writers int, length time.Duration) (float64, error) {
	var all sync.WaitGroup
	var mu sync.Mutex // guards what follows
	var done int
	var failed error
	began := time.Now()
	for w := range writers {
		all.Go(func() {
			n := 0
			for ; time.Since(began) < length; n++ {
				if err := f.put(uint64(w)<<32 | uint64(n)); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
			}
			mu.Lock()
			done += n
			mu.Unlock()
		})
	}
	all.Wait()
	return float64(done) / time.Since(began).Seconds(), failed
}
