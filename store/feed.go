package store

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

const (
	feedBucket = "\x00feed"
	feedAge    = 24 * time.Hour
	feedSize   = 100_000
	// trimExtra is how many old entries a commit removes beyond twice what
	// it appended, so that a feed over its limits comes back under them.
	trimExtra = 16
)

// Append adds a change to the durable feed and returns its position. A
// position is final only when the operation that got it is committed. Entries
// are kept for 24 hours or 100,000 of them, whichever is less.
func (tx *Tx) Append(c Change) uint64 {
	if tx.work == nil || tx.ended {
		_ = tx.note(ErrReadOnly)
		return 0
	}
	b := tx.root(feedBucket)
	c.At = tx.work.now()
	seq := b.Sequence()
	if b.Exists() {
		b.bolt.FillPercent = 1 // keys only grow
	}
	_ = b.Put(feedKey(seq), c.encode())
	tx.work.appended++
	return seq
}

// trim removes entries over the limits, oldest first, a bounded number.
func trim(w *work) error {
	if w.appended == 0 {
		return nil
	}
	b := w.bolt.Bucket([]byte(feedBucket))
	oldest := w.now().Add(-feedAge)
	c := b.Cursor()
	for budget := 2*w.appended + trimExtra; budget > 0; budget-- {
		k, v := c.First()
		if len(k) != 8 {
			return nil
		}
		seq := binary.BigEndian.Uint64(k)
		entry, err := decodeChange(seq, v)
		if err == nil && b.Sequence()-seq < feedSize && !entry.At.Before(oldest) {
			return nil
		}
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

func feedKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// Feed reads the durable feed. All methods may be called at the same time.
//
// A reader that wants everything takes Wait, then calls Since, and waits if
// that gave nothing:
//
//	for {
//		more := feed.Wait()
//		changes, next, reset, err := feed.Since(seq, match, 256)
//		…
//		if seq = next; len(changes) == 0 && !reset {
//			<-more // or the context
//		}
//	}
type Feed struct {
	db   *DB
	mu   sync.Mutex // guards what follows
	more chan struct{}
	over bool // more is closed for good
}

// Last is the position of the newest change; 0 before the first.
func (f *Feed) Last() (uint64, error) {
	var last uint64
	err := f.db.View(func(tx *Tx) error {
		last, _ = f.bounds(tx)
		return nil
	})
	return last, err
}

// Since gives the changes after position seq that match wants (nil: all), at
// most limit, oldest first, and the position to go on from. It goes through
// the feed until it has found that many.
//
// reset means that the feed cannot tell what happened since seq: it is older
// than what is kept, or newer than the newest. Then there are no changes, the
// reader looks at everything anew and goes on from next. A reader that kept
// its position over a restart uses Resume, which compares the store too.
func (f *Feed) Since(seq uint64, match func(Change) bool, limit int) (changes []Change, next uint64, reset bool, err error) {
	err = f.db.View(func(tx *Tx) error {
		last, first := f.bounds(tx)
		if seq > last || seq+1 < first {
			next, reset = last, true
			return nil
		}
		next = seq
		var bad error
		tx.root(feedBucket).Ascend(feedKey(seq+1), func(k, v []byte) bool {
			var c Change
			if c, bad = decodeChange(binary.BigEndian.Uint64(k), v); bad != nil || len(changes) == limit {
				return false
			}
			next = c.Seq
			if match == nil || match(c) {
				c.Data = slices.Clone(c.Data)
				changes = append(changes, c)
			}
			return true
		})
		return bad
	})
	if err != nil {
		return nil, seq, false, err
	}
	return changes, next, reset, nil
}

// Resume is Since for a position of the store with that ID. Another store's
// position is always a reset.
func (f *Feed) Resume(store string, seq uint64, match func(Change) bool, limit int) (changes []Change, next uint64, reset bool, err error) {
	if store == f.db.id {
		return f.Since(seq, match, limit)
	}
	next, err = f.Last()
	return nil, next, err == nil, err
}

// bounds gives the newest position and the oldest one kept (newest + 1 if
// none is).
func (f *Feed) bounds(tx *Tx) (last, first uint64) {
	b := tx.root(feedBucket)
	if !b.Exists() {
		return 0, 1
	}
	last = b.bolt.Sequence()
	first = last + 1
	if k, _ := b.bolt.Cursor().First(); len(k) == 8 {
		first = binary.BigEndian.Uint64(k)
	}
	return last, first
}

// Wait gives a channel that is closed after the next commit that appended, or
// when the store ends.
func (f *Feed) Wait() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.more
}

func (f *Feed) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		close(f.more)
		f.more = make(chan struct{})
	}
}

// end wakes everybody for good: there will be no more changes.
func (f *Feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		close(f.more)
		f.over = true
	}
}
