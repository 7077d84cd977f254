package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/netns"
)

// meetings is how often two people meet.
const meetings = 20

// first measures from the start of a person's first command, with a link, to their
// first delivered message: on two machines of a network of our own where one can
// be made, else on loopback.
func (b *bench) first(ctx context.Context) (_ []figure, err error) {
	var lan *netns.LAN
	note := "on two machines of a network of its own, with mDNS and port mapping on; the packets that left it: 0"
	if lacking := netns.Possible(); lacking != nil {
		note = fmt.Sprintf("on loopback (%v)", lacking)
	} else {
		if lan, err = netns.New(2); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, lan.Close()) }()
	}
	var ours samples
	for range meetings {
		took, err := b.meet(ctx, lan)
		if err != nil {
			return nil, err
		}
		ours = append(ours, took)
	}
	if lan != nil {
		leaked, err := lan.Leaked()
		if err != nil {
			return nil, err
		}
		if leaked > 0 {
			return nil, fmt.Errorf("%d packets left the local network", leaked)
		}
	}
	return []figure{{
		name: "FirstMessage", what: "link to first delivered message", n: len(ours), unit: "ns",
		ours: ours.at(0.5), p99: ours.at(0.99), goal: goal{limit: float64(500 * time.Millisecond)},
		because: "two commands, the start of a node and the join", note: note,
	}}, nil
}

// meet lets two people with nothing meet. Without a network they do on loopback.
func (b *bench) meet(ctx context.Context, lan *netns.LAN) (_ time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	homes := make([]*harness.Home, 2)
	for i, name := range []string{ana, ben} {
		cfg := harness.Config{Bin: b.bin, Env: []string{"CLAUDEMESH_AUTOSTART="}}
		if lan != nil {
			cfg.Env, cfg.Enter = netns.Settings, func() error { return lan.Enter(i + 1) }
		}
		var w *harness.World
		if w, err = harness.New(cfg); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, w.Close()) }()
		if homes[i], err = w.Home(name); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, netns.Down(homes[i])) }()
	}
	f, err := netns.Meet(ctx, homes[0], homes[1])
	return f.Delivered, err
}
