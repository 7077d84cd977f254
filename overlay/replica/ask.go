package replica

import (
	"bytes"
	"context"
	"fmt"
)

// ask is the turn of the side that asks: it takes what the other side has and this one
// lacks, and repairs what differs.
func (x *exchange) ask(ctx context.Context) (changed bool, err error) {
	before := x.result.Taken
	yours, old, err := x.compare()
	if err != nil {
		return false, err
	}
	if !old.IsZero() {
		if err := x.askOld(ctx, old); err != nil {
			return false, err
		}
	}
	p, err := x.plan(yours)
	if err != nil {
		return false, err
	}
	if err := x.askAbove(ctx, p.wants); err != nil {
		return false, err
	}
	if len(p.wants) > 0 {
		if p, err = x.plan(yours); err != nil {
			return false, err
		}
	}
	repaired := false
	for _, l := range p.lists {
		did, err := x.mend(ctx, l)
		if err != nil {
			return false, err
		}
		repaired = repaired || did
	}
	changed = repaired || x.result.Taken > before
	return changed, x.send(turnFrame(changed))
}

// compare sends the own sum and gets the other side's, with its vector if that
// differs, and the sum of what evidence it has for this author.
func (x *exchange) compare() (vector, Sum, error) {
	var own greeting
	err := x.r.cfg.Disk.View(func(tx Tx) error {
		v, err := x.r.vector(tx)
		own = x.greeting(v)
		return err
	})
	if err != nil {
		return nil, Sum{}, err
	}
	if err := x.send(own.encode()); err != nil {
		return nil, Sum{}, err
	}
	b, done, err := x.readAs(frameSum, maxAsk)
	if err != nil || done {
		return nil, Sum{}, firstError(err, fmt.Errorf("%w: an end where a sum is due", ErrProtocol))
	}
	g, err := decodeGreeting(b)
	if err != nil {
		return nil, Sum{}, err
	}
	x.meet(g)
	x.result.Equal = g.hash == own.hash
	var yours vector
	var last Log
	for {
		b, done, err := x.readAs(frameVector, maxAsk)
		if err != nil || done {
			return yours, g.old, err
		}
		part, err := decodeClaims(b, &last)
		if err != nil {
			return nil, Sum{}, err
		}
		if yours = append(yours, part...); len(yours) > maxLogs {
			return nil, Sum{}, fmt.Errorf("%w: more than %d logs", ErrProtocol, maxLogs)
		}
	}
}

func (x *exchange) plan(yours vector) (p plan, err error) {
	if len(yours) == 0 {
		return p, nil
	}
	err = x.r.cfg.Disk.View(func(tx Tx) error {
		mine, err := x.r.vector(tx)
		if err == nil {
			p = x.r.plan(tx, mine, yours)
		}
		return err
	})
	return p, err
}

// askAbove asks for what the other side holds above the own claims, some logs at once.
func (x *exchange) askAbove(ctx context.Context, wants []want) error {
	t := x.taker(ctx, takeNew)
	defer t.stop()
	for len(wants) > 0 {
		n := min(len(wants), window)
		for _, w := range wants[:n] {
			if err := x.write(w.frame()); err != nil {
				return err
			}
		}
		if err := x.conn.Flush(); err != nil {
			return err
		}
		for _, w := range wants[:n] {
			if err := x.readAbove(t, w); err != nil {
				return err
			}
		}
		wants = wants[n:]
	}
	return t.end()
}

func (x *exchange) readAbove(t *taker, w want) error {
	last := w.m
	for count := uint64(0); ; {
		records, done, err := x.readRecords()
		if err != nil || done {
			return err
		}
		for _, r := range records {
			if r.Log != w.log || r.N <= last {
				return fmt.Errorf("%w: record %d of a log where one above %d is due", ErrProtocol, r.N, last)
			}
			last = r.N
		}
		if count += uint64(len(records)); count > w.most {
			return fmt.Errorf("%w: more than the %d records of a log that were wanted", ErrProtocol, w.most)
		}
		if err := t.add(records); err != nil {
			return err
		}
	}
}

func (x *exchange) readRecords() ([]Record, bool, error) {
	b, done, err := x.readAs(frameRecords, maxAnswer)
	if err != nil || done {
		return nil, done, err
	}
	records, err := decodeRecords(b)
	x.result.Received += len(records)
	return records, false, err
}

// mend asks for the list of a log and does what follows from it. It tells whether
// something changed.
func (x *exchange) mend(ctx context.Context, l Log) (bool, error) {
	yours, err := x.askList(l)
	if err != nil || len(yours.entries) == 0 {
		return false, err
	}
	var mine set
	var what remedy
	err = x.r.cfg.Disk.View(func(tx Tx) (err error) {
		if mine, err = readSet(tx, l); err == nil {
			what = repair(x.r.stance(tx, l), mine, yours)
		}
		return err
	})
	if err != nil || what == leave {
		return false, err
	}
	before := x.result.Taken
	lacks := mine.lacks(yours)
	if what != audit {
		room := x.r.paces.room(l.Author)
		if what == take && room < len(lacks) {
			return false, nil // in part it is of no use: later
		}
		lacks = lacks[:min(room, len(lacks))]
	}
	how := map[remedy]mode{union: takeUnion, take: takeStage, audit: takeOld}[what]
	if err := x.askFor(ctx, l, lacks, how); err != nil {
		return false, err
	}
	switch {
	case what == take:
		return x.settle(ctx, l, yours)
	case what == audit && forked(mine, yours):
		return false, x.noteFork(ctx, l)
	}
	return x.result.Taken > before, nil
}

// forked tells whether yours, of the own log, holds what its author did not write here.
// Sets that lag behind or miss something are no fork.
func forked(mine, yours set) bool {
	if yours.m() != mine.m() {
		return yours.m() > mine.m()
	}
	return yours.exact() && (yours.top.hash != mine.top.hash || yours.top.Digest != mine.top.Digest)
}

func (x *exchange) noteFork(ctx context.Context, l Log) error {
	err := x.r.cfg.Disk.Update(ctx, func(tx Tx) error {
		return tx.Put(tableMeta, []byte(metaFork), number(l.Inc))
	})
	x.foreign = x.foreign || err == nil
	return err
}

// askList gets what the other side holds of a log. The highest record is verified.
func (x *exchange) askList(l Log) (s set, err error) {
	if err := x.send(listFrame(l)); err != nil {
		return s, err
	}
	for last := uint64(0); ; {
		kind, b, err := x.read(maxAnswer)
		switch {
		case err != nil:
			return s, err
		case kind == frameEnd:
			return s, nil
		case kind == frameEntries:
			part, err := decodeEntries(b, &last)
			if err != nil {
				return s, err
			}
			if s.entries = append(s.entries, part...); len(s.entries) > maxEntries {
				return s, fmt.Errorf("%w: a list of more than %d records", ErrProtocol, maxEntries)
			}
		case kind == frameRecords:
			records, err := decodeRecords(b)
			if err != nil || len(records) != 1 || records[0].Log != l {
				return s, firstError(err, fmt.Errorf("%w: not the highest record of a list", ErrProtocol))
			}
			if err := records[0].Verify(); err != nil {
				return s, err
			}
			s.top = records[0]
			x.result.Received++
		default:
			return s, fmt.Errorf("%w: frame %d in a list", ErrProtocol, kind)
		}
	}
}

// askFor gets records of a log that were listed. What is another than was listed by now
// is left out.
func (x *exchange) askFor(ctx context.Context, l Log, listed []entry, how mode) error {
	t := x.taker(ctx, how)
	defer t.stop()
	for len(listed) > 0 {
		n := min(len(listed), maxPick)
		chunk := make(map[uint64]Sum, n)
		numbers := make([]uint64, n)
		for i, e := range listed[:n] {
			chunk[e.n], numbers[i] = e.hash, e.n
		}
		if err := x.send(pickFrame(l, numbers)); err != nil {
			return err
		}
		for count := 0; ; {
			records, done, err := x.readRecords()
			if err != nil {
				return err
			}
			if done {
				break
			}
			if count += len(records); count > n {
				return fmt.Errorf("%w: more records than asked for", ErrProtocol)
			}
			kept := records[:0]
			for _, r := range records {
				hash, picked := chunk[r.N]
				if r.Log != l || !picked {
					return fmt.Errorf("%w: a record that was not picked", ErrProtocol)
				}
				if hash == r.hash {
					kept = append(kept, r)
				}
				delete(chunk, r.N)
			}
			if err := t.add(kept); err != nil {
				return err
			}
		}
		listed = listed[n:]
	}
	return t.end()
}

// askOld gets the evidence that the other side has about the own author, unless it was
// taken over before.
func (x *exchange) askOld(ctx context.Context, sum Sum) error {
	key := metaKey(metaSeen, sum[:])
	seen := false
	err := x.r.cfg.Disk.View(func(tx Tx) error {
		seen = tx.Get(tableMeta, key) != nil
		return nil
	})
	if err != nil || seen {
		return err
	}
	if err := x.send([]byte{frameOld}); err != nil {
		return err
	}
	t := x.taker(ctx, takeOld)
	defer t.stop()
	for count := 0; ; {
		records, done, err := x.readRecords()
		if err != nil {
			return err
		}
		if done {
			break
		}
		if count += len(records); count > maxOld {
			return fmt.Errorf("%w: more than %d records of evidence", ErrProtocol, maxOld)
		}
		for _, r := range records {
			if r.Log.Author != x.r.cfg.Self {
				return fmt.Errorf("%w: evidence about another author", ErrProtocol)
			}
		}
		if err := t.add(records); err != nil {
			return err
		}
	}
	if err := t.end(); err != nil {
		return err
	}
	return x.r.cfg.Disk.Update(ctx, func(tx Tx) error {
		return tx.Put(tableMeta, bytes.Clone(key), millis(x.r.cfg.Now()))
	})
}
