package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/op"
)

// state measures from set_state at one node until the feed of a session at the other
// tells of the change. Its floor is one synced commit and one hop of bare gossipsub.
func (b *bench) state(ctx context.Context) (_ []figure, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := b.folder("state")
	if err != nil {
		return nil, err
	}
	bare, err := newRadio(ctx, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	disk, err := newDisk(dir, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, disk.close()) }()
	c := newCrowd(dir)
	defer func() { err = errors.Join(err, c.stop()) }()
	told := make(chan string, 16)
	if err := c.beside(ctx, told); err != nil {
		return nil, err
	}
	// Writers are slowed down to 100 a second, and a session is told of the first 500
	// changes of a flood one by one: what is measured stays below both.
	slow := time.NewTicker(time.Second / 50)
	defer slow.Stop()
	var ours, answered, floor samples
	const most = 300
	warm := max(b.times/20, 5)
	for n := range warm + min(b.times/5, most) {
		<-slow.C
		accepted, took, err := c.change(ctx, n, told)
		if err != nil {
			return nil, err
		}
		written, err := disk.put()
		if err != nil {
			return nil, err
		}
		hop, err := bare.say(ctx, 1)
		if err != nil {
			return nil, err
		}
		if n >= warm {
			ours, answered, floor = append(ours, took), append(answered, accepted), append(floor, written+hop)
		}
	}
	const is = "commit and gossip hop"
	return []figure{{
		name: "StateToNotification", what: "set_state to the other's feed", n: len(ours), unit: "ns",
		ours: ours.at(0.5), p99: ours.at(0.99), floor: floor.at(0.5), floor99: floor.at(0.99), floorIs: is,
		note: "two commits one after the other, one at each node, are in it; the floor has one",
	}, {
		name: "StateAccepted", what: "  … accepted", n: len(answered), unit: "ns",
		ours: answered.at(0.5), p99: answered.at(0.99), floor: floor.at(0.5), floor99: floor.at(0.99), floorIs: is,
	}}, nil
}

// beside starts two nodes and gives the keys of which a session at the second is
// told.
func (c *crowd) beside(ctx context.Context, told chan<- string) error {
	var second *node.Node
	for _, who := range []string{ana, ben} {
		var err error
		if second, err = c.start(ctx, who, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
	}
	if err := joinAll(ctx, c.ops()); err != nil {
		return err
	}
	return c.follow(ctx, second, ben, func(e op.Event) {
		var s op.StateChange
		if e.Topic == op.TopicState && json.Unmarshal(e.Data, &s) == nil {
			told <- s.Key
		}
	})
}

// change sets a key and returns how long it took until that was accepted and until
// the other node's session was told.
func (c *crowd) change(ctx context.Context, n int, told <-chan string) (accepted, all time.Duration, err error) {
	key := fmt.Sprintf("key-%d", n)
	began := time.Now()
	_, err = state.Set.Call(ctx, c.nodes[0].Ops(), user, state.SetRequest{Key: key, Value: json.RawMessage(`"` + text + `"`)})
	if err != nil {
		return 0, 0, err
	}
	accepted = time.Since(began)
	late := time.NewTimer(stall)
	defer late.Stop()
	for {
		select {
		case k := <-told:
			if k == key {
				return accepted, time.Since(began), nil
			}
		case <-late.C:
			return 0, 0, errors.New("the other node is not told of a change")
		}
	}
}
