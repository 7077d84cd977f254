package store

import (
	"time"

	bolt "go.etcd.io/bbolt"
)

// Tx is what an operation or a View works with. It and its buckets belong to
// that function's goroutine and end with it.
//
// In an Update the first failure of any write is kept: an operation that
// ignores it fails all the same.
type Tx struct {
	bolt  *bolt.Tx
	work  *work // nil in a View
	err   error // the first failed write
	dirty bool  // this operation changed something
	ended bool
}

// work is what the operations of one attempt have in common.
type work struct {
	bolt      *bolt.Tx
	now       func() time.Time
	dirty     bool
	bytes     int
	appended  int
	changes   uint64 // counts writes: iterations look whether it moved
	callbacks []func()
}

// Bucket gives the bucket at path, of which each element is one level. In an
// Update it is made if it is not there. In a View a missing one reads as
// empty; so does every bucket whose path is invalid or leads through a key,
// and writing to it fails. The first element must not begin with a zero byte.
func (tx *Tx) Bucket(path ...string) *Bucket {
	if len(path) == 0 || path[0] == "" || path[0][0] == 0 {
		return &Bucket{tx: tx, err: tx.note(ErrName)}
	}
	return tx.root(path[0]).down(path[1:])
}

// root gives a top level bucket, reserved ones too.
func (tx *Tx) root(name string) *Bucket {
	switch {
	case tx.ended:
		return &Bucket{tx: tx, err: ErrEnded}
	case tx.work == nil:
		return &Bucket{tx: tx, bolt: tx.bolt.Bucket([]byte(name))}
	}
	if b := tx.bolt.Bucket([]byte(name)); b != nil {
		return filling(tx, b)
	}
	b, err := tx.bolt.CreateBucket([]byte(name))
	if err != nil {
		return &Bucket{tx: tx, err: tx.note(err)}
	}
	tx.wrote(len(name))
	return filling(tx, b)
}

// fillPercent is how full a page gets before it is split. Most keys grow, as times,
// numbers and ids do: then what is left free stays so, and half-full pages, bbolt's
// default, make deeper trees, of which each commit writes more.
const fillPercent = 0.9

// filling is a bucket that may be written to.
func filling(tx *Tx, b *bolt.Bucket) *Bucket {
	b.FillPercent = fillPercent
	return &Bucket{tx: tx, bolt: b}
}

// OnCommit has fn run by the writer once the commit is synced, before Update
// returns. Callbacks run one after the other in the order of the commits and
// of their registration; those of an operation that fails do not run. fn must
// not block and must not call the store. In a View it does nothing.
func (tx *Tx) OnCommit(fn func()) {
	if tx.work != nil && !tx.ended {
		tx.work.callbacks = append(tx.work.callbacks, fn)
	}
}

// note keeps the first failure of a write.
func (tx *Tx) note(err error) error {
	if tx.err == nil && tx.work != nil {
		tx.err = err
	}
	return err
}

// wrote takes note of a change of n bytes.
func (tx *Tx) wrote(n int) {
	tx.dirty = true
	tx.work.dirty = true
	tx.work.bytes += n
	tx.work.changes++
}

func (tx *Tx) end() { tx.ended = true }
