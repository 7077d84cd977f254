package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// text is the body of messages.
var text = strings.Repeat("x", size)

// stall is how long nothing may happen before a measurement is given up.
const stall = 10 * time.Second

// folder makes a folder for one measurement.
func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	return dir, os.Mkdir(dir, 0o700)
}

// with gives a measurement a pair of nodes and the floors, and ends them.
func (b *bench) with(ctx context.Context, name string, fn func(*pair, *floors) error) (err error) {
	dir, err := b.folder(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	f, err := newFloors(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	p, err := newPair(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	return fn(p, f)
}

// post measures one message at a time: accepted by the caller, in the other inbox,
// receipt back.
func (b *bench) post(ctx context.Context) ([]figure, error) {
	var accepted, back, recorded, floor, one, two samples
	err := b.with(ctx, "post", func(p *pair, f *floors) error {
		warm := b.times / 10
		for n := range warm + b.times {
			times, err := p.once(ctx)
			if err != nil {
				return err
			}
			bare, err := f.both()
			if err != nil {
				return err
			}
			alone, atOnce, err := f.together()
			if err != nil {
				return err
			}
			if n >= warm {
				one, two = append(one, alone), append(two, atOnce)
				accepted, back, recorded = append(accepted, times[0]), append(back, times[1]), append(recorded, times[2])
				floor = append(floor, bare)
			}
		}
		return nil
	})
	beside := func(name, what string, ours samples) figure {
		return figure{
			name: name, what: what, n: len(ours), unit: "ns",
			ours: ours.at(0.5), p99: ours.at(0.99), floor: floor.at(0.5), floor99: floor.at(0.99), floorIs: "F",
		}
	}
	first := beside("PostReceipt", "post, receipt back", back)
	first.goal = goal{ratio: 1.5, tail: 3}
	first.because = "the recipient's commit writes some ten pages where the floor writes four, while the sender's is under way on the one disk, and two signatures are made and verified for it, one after the other"
	first.note = fmt.Sprintf("a bare commit takes %s here, two at once on the one disk %s", shown(one.at(0.5), "ns"), shown(two.at(0.5), "ns"))
	return []figure{first, beside("PostRecorded", "  … committed as delivered", recorded), beside("PostAccepted", "  … accepted by the sender", accepted)}, err
}

// once sends a message and returns how long it took until it was accepted, until
// its receipt was back and until that was committed.
func (p *pair) once(ctx context.Context) (times [3]time.Duration, err error) {
	came, kept := p.receipts.expect()
	began := time.Now()
	var back time.Duration
	var waits sync.WaitGroup
	late := time.NewTimer(stall)
	defer late.Stop()
	var missing error
	waits.Go(func() {
		select {
		case <-came:
			back = time.Since(began)
		case <-late.C:
			missing = errors.New("no receipt")
		}
	})
	err = p.send(ctx, text)
	times[0] = time.Since(began)
	waits.Wait()
	if err := errors.Join(err, missing); err != nil {
		return times, err
	}
	times[1] = max(back, times[0]) // both have to be
	<-kept
	times[2] = max(time.Since(began), times[1])
	return times, nil
}

const (
	inFlight = 100
	rounds   = 4
)

// flight measures messages acknowledged per second with many under way.
func (b *bench) flight(ctx context.Context) ([]figure, error) {
	var ours, floor samples // of seconds per message, as the mean of a round
	n := 0
	var worked time.Duration
	err := b.with(ctx, "flight", func(p *pair, f *floors) error {
		for range rounds {
			before := processor()
			done, took, err := p.stream(ctx, 2*time.Second)
			if err != nil {
				return err
			}
			n += done
			worked += processor() - before
			rate, err := f.commits(inFlight, time.Second)
			if err != nil {
				return err
			}
			ours = append(ours, took/time.Duration(max(done, 1)))
			floor = append(floor, time.Duration(float64(time.Second)/rate))
		}
		return nil
	})
	perSecond := func(s samples) float64 { return float64(time.Second) / max(s.at(0.5), 1) }
	return []figure{{
		name: "InFlight100", what: fmt.Sprintf("acknowledged, %d in flight", inFlight), n: n, unit: "msg/s", higher: true,
		ours: perSecond(ours), floor: perSecond(floor), floorIs: "group commit, 100 writers", goal: goal{ratio: 0.3},
		because: "two processors do all for both ends: a message is signed and verified, its receipt too, and some twenty keys are written for it, where the floor writes one",
		note: fmt.Sprintf("%d µs of processor for each, both ends; the nodes' limits on sending and receiving rates are lifted; JetStream is not measured here",
			worked.Microseconds()/int64(max(n, 1))),
	}}, err
}

// stream keeps messages under way for some time and returns how many were
// acknowledged, with the acknowledgement committed.
func (p *pair) stream(ctx context.Context, length time.Duration) (done int, took time.Duration, err error) {
	_, kept := p.receipts.expect()
	tokens := make(chan struct{}, inFlight)
	for range inFlight {
		tokens <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(ctx, length+stall)
	defer cancel()
	began := time.Now()
	var senders sync.WaitGroup
	var mu sync.Mutex // guards what follows
	sent := 0
	for range inFlight {
		senders.Go(func() {
			for time.Since(began) < length {
				select {
				case <-tokens:
				case <-ctx.Done():
					return
				}
				failed := p.send(ctx, text)
				mu.Lock()
				sent++
				err = errors.Join(err, failed)
				mu.Unlock()
				if failed != nil {
					return
				}
			}
		})
	}
	all := make(chan struct{})
	go func() { senders.Wait(); close(all) }()
	ended := false
	for !ended || done < sent {
		select {
		case n := <-kept:
			done += n
			for range n {
				select {
				case tokens <- struct{}{}:
				default:
				}
			}
		case <-all:
			ended, all = true, nil
		case <-ctx.Done():
			<-all
			return done, 0, fmt.Errorf("%d of %d acknowledged: %w", done, sent, context.Cause(ctx))
		}
		if err != nil && ended {
			return done, 0, err
		}
	}
	return done, time.Since(began), err
}
