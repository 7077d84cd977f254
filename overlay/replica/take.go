package replica

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Limits of one transaction. Slots lie in no order, so each commit writes about a page
// for each record and table: with few records at once most of the work of a newcomer
// would be pages written again and again.
const (
	takeRecords = 4000
	takeBytes   = 4 << 20
)

// mode is what becomes of records that came.
type mode int

const (
	takeNew   mode = iota // put those above m; the claim rises with each commit
	takeUnion             // put what is live
	takeStage             // keep for settle
	takeOld               // keep as evidence about the own author
)

// taker verifies records on all cores and takes them over, some at a time. A batch is
// taken over while the next one is read and verified. It belongs to one goroutine,
// which ends it with end, or stop.
type taker struct {
	x     *exchange
	ctx   context.Context
	how   mode
	batch []Record
	bytes int
	going chan error // the answer of the batch being taken over; nil: none
}

func (x *exchange) taker(ctx context.Context, how mode) *taker {
	return &taker{x: x, ctx: ctx, how: how}
}

func (t *taker) add(records []Record) error {
	for _, r := range records {
		t.batch = append(t.batch, r)
		if t.bytes += len(r.raw); len(t.batch) >= takeRecords || t.bytes >= takeBytes {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush hands the batch over, after the one before is on disk.
func (t *taker) flush() error {
	batch := t.batch
	t.batch, t.bytes = nil, 0
	if err := verify(batch); err != nil {
		return err
	}
	if t.how != takeOld {
		t.x.r.paces.spend(batch)
	}
	if err := t.wait(); err != nil || len(batch) == 0 {
		return err
	}
	t.going = make(chan error, 1)
	go func(going chan<- error) { going <- t.x.commit(t.ctx, batch, t.how) }(t.going)
	return nil
}

func (t *taker) wait() error {
	if t.going == nil {
		return nil
	}
	err := <-t.going
	t.going = nil
	return err
}

// end takes over the rest and returns when all of it is on disk.
func (t *taker) end() error {
	if err := t.flush(); err != nil {
		return err
	}
	return t.wait()
}

// stop waits for what is being taken over and forgets the rest.
func (t *taker) stop() { _ = t.wait() }

// verify checks the signatures of records, on all cores.
func verify(records []Record) error {
	workers := min(runtime.GOMAXPROCS(0), (len(records)+15)/16)
	if workers <= 1 {
		return verifyFrom(records, new(atomic.Int64))
	}
	var next atomic.Int64
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = verifyFrom(records, &next) })
	}
	wg.Wait()
	return firstError(errs...)
}

func verifyFrom(records []Record, next *atomic.Int64) error {
	for i := int(next.Add(1)) - 1; i < len(records); i = int(next.Add(1)) - 1 {
		if err := records[i].Verify(); err != nil {
			return fmt.Errorf("%w: %w", ErrProtocol, err)
		}
	}
	return nil
}

// commit takes a batch over in one transaction.
func (x *exchange) commit(ctx context.Context, batch []Record, how mode) error {
	var e *edit
	err := x.r.cfg.Disk.Update(ctx, func(tx Tx) error {
		e = x.r.edit(tx)
		for _, r := range batch {
			over, err := x.takeOne(e, r, how)
			if err != nil {
				return err
			}
			if over {
				x.full[r.Log] = true
			}
		}
		return e.finish()
	})
	if err != nil {
		return err
	}
	x.result.Taken += e.taken
	x.foreign = x.foreign || e.foreign
	return nil
}

// takeOne takes a record over. over tells that its log has too many.
func (x *exchange) takeOne(e *edit, r Record, how mode) (over bool, err error) {
	if how == takeStage {
		return false, e.stage(r)
	}
	if how == takeOld {
		return false, e.evidence(r)
	}
	stance := x.r.stance(e.tx, r.Log)
	if stance == stranger || stance == own || !x.r.cfg.Authors.Standing(r.Log.Author).takes(r) || x.full[r.Log] {
		return false, nil
	}
	s, err := e.log(r.Log)
	if err != nil || how == takeNew && r.N <= s.m {
		return false, err
	}
	if s.count >= MaxLive && numberAt(e.tx, r.Slot, r.Log) == 0 {
		return true, nil
	}
	_, err = e.put(r, false)
	return false, err
}

// settle makes the live set of a log the one that the other side holds, if its records
// are all here, live or staged, and their sum is what their author signed.
func (x *exchange) settle(ctx context.Context, l Log, yours set) (did bool, err error) {
	var e *edit
	err = x.r.cfg.Disk.Update(ctx, func(tx Tx) error {
		e, did = x.r.edit(tx), false
		mine, err := readSet(tx, l)
		if err != nil {
			return err
		}
		if x.r.stance(tx, l) == theirs && repair(theirs, mine, yours) == take {
			if did, err = e.settle(l, mine, yours); err != nil {
				return err
			}
		}
		if err := e.unstageAll(l, yours); err != nil {
			return err
		}
		return e.finish()
	})
	if err != nil {
		return false, err
	}
	x.result.Taken += e.taken
	return did, nil
}

// settle makes yours the live set of a log; false: not all of it is here.
func (e *edit) settle(l Log, mine, yours set) (bool, error) {
	held := make(map[entry]bool, len(mine.entries))
	for _, m := range mine.entries {
		held[m] = true
	}
	for _, y := range yours.entries {
		if !held[y] && e.tx.Get(tableOld, oldKey(l, y.n, y.hash)) == nil {
			return false, nil
		}
	}
	for _, y := range yours.entries {
		delete(held, y)
	}
	out, err := e.takeOut(l, mine, held)
	if err != nil {
		return false, err
	}
	if err := e.putIn(l, yours); err != nil {
		return false, err
	}
	for _, r := range out {
		if err := e.evidence(r); err != nil {
			return false, err
		}
	}
	return true, e.recount(l)
}

// takeOut removes those of the live records that are surplus, and gives them.
func (e *edit) takeOut(l Log, mine set, surplus map[entry]bool) (out []Record, err error) {
	for _, m := range mine.entries {
		if !surplus[m] {
			continue
		}
		r, ok, err := recordAt(e.tx, l, m.n)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, r)
		}
	}
	for _, r := range out {
		if err := e.remove(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// putIn makes those of the entries live that are staged.
func (e *edit) putIn(l Log, yours set) error {
	for _, y := range yours.entries {
		raw := e.tx.Get(tableOld, oldKey(l, y.n, y.hash))
		if raw == nil {
			continue
		}
		r, err := stored(raw[8:])
		if err != nil {
			return err
		}
		if _, err := e.put(r, true); err != nil {
			return err
		}
	}
	return nil
}

// unstageAll forgets evidence that is live now.
func (e *edit) unstageAll(l Log, yours set) error {
	for _, y := range yours.entries {
		live, ok, err := recordAt(e.tx, l, y.n)
		if err != nil {
			return err
		}
		if !ok || !bytes.Equal(live.hash[:], y.hash[:]) {
			continue
		}
		if err := e.unstage(oldKey(l, y.n, y.hash)); err != nil {
			return err
		}
	}
	return nil
}
