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

// floors is a stream between two bare hosts, and two bare stores.
type floors struct {
	near, far host.Host
	stream    network.Stream
	db, other *store.DB
	over      sync.WaitGroup
	written   uint64
}

// newFloors opens the stores in dir.
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
	for name, db := range map[string]**store.DB{"floor.db": &f.db, "other.db": &f.other} {
		if *db, err = store.Open(store.Config{Path: filepath.Join(dir, name), Schema: 1}); err != nil {
			return nil, err
		}
		f.over.Go(func() { _ = (*db).Run(context.Background()) }) // ends with close
	}
	return f, nil
}

func (f *floors) close() error {
	var err error
	for _, db := range []*store.DB{f.db, f.other} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
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
	if err := put(f.db, f.written); err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	return time.Since(began), nil
}

// together measures a commit alone, and until two at once, to two stores on the one
// disk, are done: as those of the two ends of a message here.
func (f *floors) together() (one, two time.Duration, err error) {
	began := time.Now()
	f.written++
	if err := put(f.db, f.written); err != nil {
		return 0, 0, fmt.Errorf("floor: %w", err)
	}
	one, began = time.Since(began), time.Now()
	f.written++
	other := make(chan error, 1)
	go func() { other <- put(f.other, f.written) }()
	if err := errors.Join(put(f.db, f.written), <-other); err != nil {
		return 0, 0, fmt.Errorf("floor: %w", err)
	}
	return one, time.Since(began), nil
}

func put(db *store.DB, n uint64) error {
	return db.Update(context.Background(), func(tx *store.Tx) error {
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
				if err := put(f.db, uint64(w)<<32|uint64(n)); err != nil {
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
