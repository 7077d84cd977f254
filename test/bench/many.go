package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// many measures a message to everybody until the last of so many nodes has it on disk
// and gives it to its session, in turn with bare gossipsub among as many hosts in the
// same process. It waits for what a message has others do before it goes on: neither
// is measured while the other's work is still under way.
func (b *bench) many(ctx context.Context, n int) (_ []figure, err error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	dir, err := b.folder(fmt.Sprintf("many%d", n))
	if err != nil {
		return nil, err
	}
	bare, err := newRadio(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	disk, err := newDisk(dir, n-1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, disk.close()) }()
	c := newCrowd(dir)
	defer func() { err = errors.Join(err, c.stop()) }()
	heard := make(chan string, 16*n)
	back := &receipts{}
	if err := c.gather(ctx, n, back, heard); err != nil {
		return nil, err
	}
	if err := pause(ctx, delivery.Patience); err != nil { // until then all goes as letters
		return nil, err
	}
	var ours, floor, commits samples
	var worked, least time.Duration // of processor, all nodes
	const warm = 10
	for i := range warm + max(b.times/8, 100) {
		before := processor()
		took, err := c.broadcast(ctx, back, heard)
		if err != nil {
			return nil, err
		}
		between := processor()
		bareTook, err := bare.say(ctx, 0)
		if err != nil {
			return nil, err
		}
		after := processor()
		written, err := disk.put()
		if err != nil {
			return nil, err
		}
		if i >= warm {
			ours, floor, commits = append(ours, took), append(floor, bareTook), append(commits, written)
			worked += between - before
			least += after - between
		}
	}
	return []figure{{
		name: fmt.Sprintf("Broadcast%d", n), what: fmt.Sprintf("message to *, last of %d nodes", n), n: len(ours), unit: "ns",
		ours: ours.at(0.5), p99: ours.at(0.99), floor: floor.at(0.5), floor99: floor.at(0.99), floorIs: "bare gossipsub",
		goal:    goal{ratio: 1.5, tail: 2},
		because: "bare gossipsub hands on bytes from memory to memory; here the sender commits first and then every node at once, on the one disk, which alone takes as long as the goal allows; and before that each verifies two signatures, the sender's node one of each receipt, all on two processors",
		note: fmt.Sprintf("%d synced commits at once, one for each node, to stores on the one disk take %s; of processor a message takes %s with all its receipts, one of bare gossipsub %s",
			n-1, shown(commits.at(0.5), "ns"), each(worked, ours), each(least, ours)),
	}}, nil
}

// gather starts so many nodes in one mesh with a session each, and gives the ids of
// the messages that all but the first are offered. back hears of the first's receipts.
func (c *crowd) gather(ctx context.Context, n int, back *receipts, heard chan<- string) error {
	for i := range n {
		log := slog.New(slog.DiscardHandler)
		if i == 0 {
			log = slog.New(back)
		}
		if _, err := c.start(ctx, name(i), log); err != nil {
			return err
		}
	}
	if err := joinAll(ctx, c.ops()); err != nil {
		return err
	}
	for i, one := range c.nodes {
		take := func(e op.Event) {
			var m op.Message
			if i > 0 && e.Topic == op.TopicMessage && json.Unmarshal(e.Data, &m) == nil {
				heard <- m.ID
			}
		}
		if err := c.follow(ctx, one, name(i), take); err != nil {
			return err
		}
	}
	return acquainted(ctx, c.ops())
}

// name is that of one of many nodes and of its member and session.
func name(i int) string { return fmt.Sprintf("n%d", i) }

// broadcast measures until a message to everybody is given to the last session, and
// waits until all have receipted it.
func (c *crowd) broadcast(ctx context.Context, back *receipts, heard <-chan string) (time.Duration, error) {
	_, kept := back.expect()
	began := time.Now()
	sent, err := message.Send.Call(ctx, c.nodes[0].Ops(), user, message.SendRequest{To: message.Targets{"*"}, Message: text})
	if err != nil {
		return 0, err
	}
	late := time.NewTimer(stall)
	defer late.Stop()
	for got := 0; got < len(c.nodes)-1; {
		select {
		case id := <-heard:
			if id == sent.ID {
				got++
			}
		case <-late.C:
			return 0, fmt.Errorf("%d of %d nodes gave the message to their session", got, len(c.nodes)-1)
		}
	}
	took := time.Since(began)
	for got := 0; got < len(c.nodes)-1; {
		select {
		case n := <-kept:
			got += n
		case <-late.C:
			return 0, fmt.Errorf("%d of %d nodes receipted the message", got, len(c.nodes)-1)
		}
	}
	return took, nil
}

// each is what one of so many took, of a sum.
func each(sum time.Duration, of samples) string {
	return shown(float64(sum)/float64(max(len(of), 1)), "ns")
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// disk is bare stores, one for each of many nodes.
type disk struct {
	stores  []*store.DB
	over    sync.WaitGroup
	written uint64
}

func newDisk(dir string, n int) (_ *disk, err error) {
	d := &disk{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	for i := range n {
		db, err := store.Open(store.Config{Path: filepath.Join(dir, fmt.Sprintf("floor%d.db", i)), Schema: 1})
		if err != nil {
			return nil, err
		}
		d.stores = append(d.stores, db)
		d.over.Go(func() { _ = db.Run(context.Background()) }) // ends with close
	}
	return d, nil
}

func (d *disk) close() error {
	var err error
	for _, db := range d.stores {
		err = errors.Join(err, db.Close())
	}
	d.over.Wait()
	return err
}

// put measures a commit to each at once.
func (d *disk) put() (time.Duration, error) {
	d.written++
	began := time.Now()
	failed := make(chan error, len(d.stores))
	for _, db := range d.stores {
		go func() { failed <- put(db, d.written) }()
	}
	var err error
	for range d.stores {
		err = errors.Join(err, <-failed)
	}
	return time.Since(began), err
}
