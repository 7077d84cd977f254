package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/test/harness"
)

// tool measures from the tool call of one agent to the channel notification at the
// other: two nodes and two MCP servers, each a process, as agents have them.
func (b *bench) tool(ctx context.Context) (_ []figure, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := b.folder("tool")
	if err != nil {
		return nil, err
	}
	f, err := newFloors(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	w, near, far, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	var ours, floor samples
	// What one session may send at once bounds it.
	const warm, most = 50, 900
	for n := range warm + min(b.times, most) {
		took, err := call(ctx, near, far)
		if err != nil {
			return nil, err
		}
		bare, err := f.both()
		if err != nil {
			return nil, err
		}
		if n >= warm {
			ours, floor = append(ours, took), append(floor, bare)
		}
	}
	return []figure{{
		name: "ToolToChannel", what: "send_message to channel notification", n: len(ours), unit: "ns",
		ours: ours.at(0.5), p99: ours.at(0.99), floor: floor.at(0.5), floor99: floor.at(0.99), floorIs: "F",
		goal:    goal{ratio: 4},
		because: "five processes hand it on over pipes and sockets, each time waking one of two cores, beside two commits",
	}}, nil
}

// world starts two nodes that share a mesh, and an agent at each.
func (b *bench) world(ctx context.Context) (w *harness.World, near, far *harness.Agent, err error) {
	if w, err = harness.New(harness.Config{Bin: b.bin}); err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	homes := make([]*harness.Home, 2)
	for i, name := range []string{ana, ben} {
		if homes[i], err = w.Home(name); err != nil {
			return nil, nil, nil, err
		}
		if err = homes[i].Start(ctx); err != nil {
			return nil, nil, nil, err
		}
	}
	var link mesh.InviteResponse
	if err = homes[0].JSON(ctx, &struct{}{}, "new", "bench", "--as", ana); err != nil {
		return nil, nil, nil, err
	}
	if err = homes[0].JSON(ctx, &link, "invite"); err != nil {
		return nil, nil, nil, err
	}
	if err = homes[1].JSON(ctx, &struct{}{}, "join", link.Link, "--as", ben); err != nil {
		return nil, nil, nil, err
	}
	if near, err = homes[0].Agent(ctx, harness.AgentConfig{Session: "near"}); err != nil {
		return nil, nil, nil, err
	}
	if far, err = homes[1].Agent(ctx, harness.AgentConfig{Session: "far"}); err != nil {
		return nil, nil, nil, err
	}
	return w, near, far, nil
}

// call has one agent send a message and returns how long it took until the other
// had it in its conversation.
func call(ctx context.Context, near, far *harness.Agent) (time.Duration, error) {
	from := len(far.Channels())
	began := time.Now()
	sent, err := harness.Tool[message.SendResponse](ctx, near, "send_message", map[string]any{"to": ben, "message": text})
	if err != nil {
		return 0, err
	}
	got, err := far.Await(ctx, from, func(c harness.Channel) bool { return c.ID() == sent.ID })
	if err != nil {
		return 0, fmt.Errorf("message %s: %w", sent.ID, err)
	}
	return got.At.Sub(began), nil
}
