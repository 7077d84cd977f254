package store

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/claudemesh/claudemesh/store/inspect"
)

const (
	maxOps   = 1000    // operations in one commit
	maxBytes = 4 << 20 // bytes of keys and values after which a commit is closed
	// maxReruns bounds the work of a commit in which many operations fail
	// after writing: from then on the good ones before the failing one are
	// committed first.
	maxReruns = 8
)

// errLost is the answer of an operation whose writer ended under it.
var errLost = errors.New("the writer ended in the middle of the commit")

// Update queues fn and returns when the commit it was part of is synced, with
// nil or fn's own error. fn may run more than once, each time from the state
// before the commit, and must not keep its Tx. If ctx ends before the writer
// takes the operation, it is not run and ctx's error is returned; afterwards
// Update waits for the result.
//
// Errors of the store itself: ErrClosed (not run), ErrFull (not stored),
// ErrFailed (unknown), *PanicError (fn panicked, not stored), ErrBroken (it met a part
// of the file that is damaged, not stored).
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: not run: %w", err)
	}
	o := &op{fn: fn, done: make(chan struct{})}
	if err := db.queue.put(o); err != nil {
		return firstError(db.horizon.failed(), err)
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
	}
	if db.queue.withdraw(o) {
		return fmt.Errorf("store: not run: %w", ctx.Err())
	}
	<-o.done
	return o.err
}

// Run is the writer. It lives until ctx ends or the store is closed, then
// commits what is queued and returns nil; or until the store fails, and
// returns that error. On return every queued operation has its answer. It can
// be called once.
func (db *DB) Run(ctx context.Context) error {
	if err := db.queue.start(); err != nil {
		return firstError(db.horizon.failed(), err)
	}
	defer db.stop()
	for {
		if err := db.horizon.failed(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			db.queue.close()
		}
		ops, open := db.queue.take(maxOps)
		if len(ops) > 0 {
			db.commit(ops)
			continue
		}
		if !open {
			return db.horizon.failed()
		}
		select {
		case <-db.queue.woken:
		case <-ctx.Done():
		}
	}
}

// stop answers whoever still waits; it also runs when an operation ended the
// writer's goroutine.
func (db *DB) stop() {
	db.queue.close()
	db.queue.refuse(firstError(db.horizon.failed(), ErrClosed))
	db.feed.end()
	close(db.queue.stopped)
	db.tell()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// batch is the operations of one commit on their way through it.
type batch struct {
	db   *DB
	all  []*op // to be answered, but for those put back
	run  []*op // take part in the next attempt
	work work
}

// commit runs ops and commits them, then answers each.
func (db *DB) commit(ops []*op) {
	b := &batch{db: db, all: ops, run: ops}
	finished := false
	defer func() {
		if !finished {
			b.answer(db.fail(errLost))
		}
	}()
	err := b.commit()
	finished = true
	b.answer(err)
}

// answer gives everybody err, or if it is nil their own result.
func (b *batch) answer(err error) {
	for _, o := range b.all {
		switch {
		case o.again:
		case err != nil:
			o.answer(err)
		default:
			o.answer(o.err)
		}
	}
}

// commit repeats the attempt without the operations that failed after writing.
func (b *batch) commit() error {
	for reruns := 0; ; reruns++ {
		failed, err := b.attempt()
		if failed < 0 {
			return err
		}
		if reruns >= maxReruns {
			b.cut(failed + 1)
		}
		b.run = append(b.run[:failed:failed], b.run[failed+1:]...)
	}
}

// cut ends the batch before b.run[n]; the rest waits for the next commit.
func (b *batch) cut(n int) {
	b.db.queue.back(b.run[n:])
	b.run = b.run[:n:n]
}

// attempt runs the operations in a fresh transaction. It returns the index of
// one that failed after writing, with nothing committed; or -1 and the result
// of the commit.
func (b *batch) attempt() (failed int, err error) {
	var btx *bolt.Tx
	err = guard(func() (err error) {
		btx, err = b.db.bolt.Begin(true)
		return err
	})
	if err != nil {
		return -1, b.db.fail(err)
	}
	defer func() { _ = guard(btx.Rollback) }() // does nothing after a commit
	b.work = work{bolt: btx, now: b.db.cfg.Now}
	for i, o := range b.run {
		if !b.one(o) {
			return i, nil
		}
		if b.work.bytes >= maxBytes {
			b.cut(i + 1)
			break
		}
	}
	return -1, b.finish(btx)
}

// one runs an operation. It reports false if the transaction is spoilt.
func (b *batch) one(o *op) bool {
	tx := &Tx{bolt: b.work.bolt, work: &b.work}
	callbacks := len(b.work.callbacks)
	err := guard(func() error { return firstError(o.fn(tx), tx.err) })
	tx.end()
	o.err = err
	if err == nil {
		return true
	}
	b.work.callbacks = b.work.callbacks[:callbacks]
	var p *PanicError
	if errors.As(err, &p) {
		b.db.log.Error("store operation panicked", "value", p.Value, "stack", string(p.Stack))
		// Nothing is written to the file before the commit, so it can be looked at.
		if damage := inspected(b.db.file, inspect.File); errors.Is(damage, inspect.ErrDamaged) {
			o.err = b.db.broken(damage)
		}
		return false
	}
	return !tx.dirty
}

// finish commits what the operations wrote and runs their callbacks.
func (b *batch) finish(btx *bolt.Tx) error {
	if b.work.dirty {
		if err := b.sync(btx); err != nil {
			return err
		}
	}
	for _, fn := range b.work.callbacks {
		if err := guard(func() error { fn(); return nil }); err != nil {
			b.db.log.Error("store callback panicked", "err", err)
		}
	}
	if b.work.appended > 0 {
		b.db.feed.wake()
	}
	return nil
}

// sync commits the transaction and decides what a failure means.
func (b *batch) sync(btx *bolt.Tx) error {
	txid := btx.ID()
	err := guard(func() error {
		if err := trim(&b.work); err != nil {
			return err
		}
		return btx.Commit()
	})
	if err == nil {
		b.db.horizon.advance(txid)
		return nil
	}
	if full(err) && !b.db.visible(txid) {
		b.db.log.Warn("store is full", "path", b.db.cfg.Path, "err", err)
		return fmt.Errorf("%w (%s): %w", ErrFull, b.db.cfg.Path, err)
	}
	return b.db.fail(err)
}

// visible reports whether bbolt took over the transaction. If it did not, its
// meta page is not in the file and the commit did not happen.
func (db *DB) visible(txid int) bool {
	seen := true
	_ = guard(func() error {
		btx, err := db.bolt.Begin(false)
		if err != nil {
			return err
		}
		seen = btx.ID() >= txid
		return btx.Rollback()
	})
	return seen
}
