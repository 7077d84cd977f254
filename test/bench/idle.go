package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	crowdSize = 50
	idleFor   = 30 * time.Second // more than a beacon of each
)

// idle measures what each of 50 nodes in one mesh takes when nobody does anything:
// each is a process of its own, connected with all others, and has a session.
func (b *bench) idle(ctx context.Context) (_ []figure, err error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	w, err := harness.New(harness.Config{Bin: b.bin})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	homes, err := settleDown(ctx, w, crowdSize)
	if err != nil {
		return nil, err
	}
	wait, stop := context.WithTimeout(ctx, settle)
	defer stop()
	<-wait.Done()
	before, err := spent(homes)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	wait, stop = context.WithTimeout(ctx, idleFor)
	defer stop()
	<-wait.Done()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	after, err := spent(homes)
	if err != nil {
		return nil, err
	}
	floor, _, err := launch(ctx, os.Environ(), said, b.bare)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, floor.end()) }()
	bare, err := resident(floor.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	share := float64(after-before) / float64(time.Since(began)) / crowdSize
	var memory, most float64
	for _, h := range homes {
		one, err := resident(h.Node().PID())
		if err != nil {
			return nil, err
		}
		memory, most = memory+one/crowdSize, max(most, one)
	}
	return []figure{{
		name: "IdleOf50Memory", what: "one of 50 idle nodes: memory", n: crowdSize, unit: "MiB", ours: memory, p99: most,
		floor: bare, floorIs: "bare libp2p host, alone",
		note: fmt.Sprintf("the mean, and the largest as p99, of %d processes, pages of the program itself counted in each", crowdSize),
	}, {
		name: "IdleOf50Processor", what: "one of 50 idle nodes: processor", n: crowdSize, unit: "%", ours: 100 * share,
		note: fmt.Sprintf("share of one processor over %s: beacons, their verification, heartbeats of gossip, pings", idleFor),
	}}, nil
}

// settleDown starts so many nodes in one mesh, a session at each, and returns when
// all see all.
func settleDown(ctx context.Context, w *harness.World, n int) (homes []*harness.Home, err error) {
	var nodes []op.Doer
	for i := range n {
		h, err := w.Home(name(i))
		if err != nil {
			return nil, err
		}
		if err := h.Start(ctx); err != nil {
			return nil, err
		}
		homes, nodes = append(homes, h), append(nodes, h.API())
	}
	if err := joinAll(ctx, nodes); err != nil {
		return nil, err
	}
	for i, n := range nodes {
		// Nobody follows: it closes after its grace, later than we look.
		if _, err := presence.Open.Call(ctx, n, user, presence.OpenRequest{AgentSession: name(i)}); err != nil {
			return nil, err
		}
	}
	return homes, acquainted(ctx, nodes)
}

// spent is the processor time of all nodes so far.
func spent(homes []*harness.Home) (all time.Duration, err error) {
	for _, h := range homes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.Node().PID()))
		if err != nil {
			return 0, err
		}
		one, err := ticks(string(text))
		if err != nil {
			return 0, err
		}
		all += one
	}
	return all, nil
}

// ticks reads user and system time from the line of /proc/PID/stat: the fields 14
// and 15, in hundredths of a second. The second field is a name that may hold
// anything, in brackets.
func ticks(line string) (time.Duration, error) {
	const user, system, behindName = 14, 15, 3
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) <= system-behindName {
		return 0, fmt.Errorf("no times in %q", line)
	}
	var all time.Duration
	for _, n := range []int{user, system} {
		t, err := strconv.ParseInt(fields[n-behindName], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("times of a process: %w", err)
		}
		all += time.Duration(t) * (time.Second / 100)
	}
	return all, nil
}
