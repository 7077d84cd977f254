package record

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/store"
)

// trimAge is how long a record must have been of no use before its author takes it out
// of all replicas: as long as a write may be on its way.
const trimAge = 30 * 24 * time.Hour

// use is what an own record is good for.
type use int

const (
	useful  use = iota
	beaten      // another's record is what the key shows
	nothing     // a deletion that beats nothing
)

// judgeUse tells what an own record in a slot is good for. Kinds that fold otherwise
// than by taking the highest may need every record, so that none counts as beaten.
func (s *shelf) judgeUse(t *table, own replica.Record, until Clock) (use, error) {
	all, err := s.rep.Slot(t, own.Slot)
	if err != nil {
		return useful, err
	}
	if own.Deleted && len(all) == 1 {
		return nothing, nil
	}
	read, _, err := s.read(t, own.Slot)
	if err != nil || len(read) == 0 {
		return useful, err
	}
	k, declared := s.book.kinds[read[0].text.kind]
	if !declared || k.Fold != nil {
		return useful, nil
	}
	v := s.judge(k, t.index().within(k, own.Slot, read), until)
	if len(v.counted) > 0 && highest(v.counted).Author != s.mesh.Self {
		return beaten, nil
	}
	return useful, nil
}

// due tells whether a record is to be trimmed, and keeps the account of since when it
// has been beaten: by this node's own observation, as others' clocks may say anything.
func (s *shelf) due(t *table, own replica.Record, now time.Time) (bool, error) {
	u, err := s.judgeUse(t, own, horizon(now))
	if err != nil {
		return false, err
	}
	x := t.index()
	mark := x.beaten.Get(own.Slot[:])
	switch {
	case u == nothing:
		return now.Sub(own.Clock.Time()) >= trimAge, nil
	case u == useful && mark != nil:
		return false, x.beaten.Delete(own.Slot[:])
	case u == beaten && mark == nil:
		return false, x.beaten.Put(own.Slot[:], binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())))
	case u == beaten:
		return now.Sub(time.UnixMilli(int64(number(mark)))) >= trimAge, nil
	}
	return false, nil
}

// trim takes own records of no use out of all replicas: those beaten for trimAge, and
// deletions that old which beat nothing.
func (s *shelf) trim(ctx context.Context) error {
	var from, next uint64
	for more := true; more; {
		err := s.book.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			var err error
			next, more, err = s.trimSome(s.table(tx), from) // may run again: from stays
			return err
		})
		if err != nil {
			return err
		}
		from = next
	}
	return s.rep.Sweep(ctx)
}

// trimSome looks at perCommit records. It returns where to go on.
func (s *shelf) trimSome(t *table, from uint64) (next uint64, more bool, err error) {
	var look []replica.Record
	next = from
	err = s.rep.Own(t, from, func(r replica.Record) bool {
		if more = len(look) == perCommit; !more {
			look = append(look, r)
			next = r.N + 1
		}
		return !more
	})
	if err != nil {
		return from, false, err
	}
	var gone []uint64
	now := s.now()
	for _, r := range look {
		is, err := s.due(t, r, now)
		if err != nil {
			return from, false, err
		}
		if !is {
			continue
		}
		gone = append(gone, r.N)
		if err := t.index().beaten.Delete(r.Slot[:]); err != nil {
			return from, false, err
		}
	}
	if len(gone) == 0 {
		return next, more, nil
	}
	clock := nextClock(s.now(), t.index().clock(), 0)
	if err := t.index().moved(clock); err != nil {
		return from, false, err
	}
	return next, more, s.rep.Trim(t, s.mesh.Blind, clock, gone)
}
