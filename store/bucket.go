package store

import (
	"bytes"
	"errors"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Bucket is a sorted map of keys to values, and of names to buckets. One that
// does not exist reads as empty, also a nil *Bucket. It lives as long as its
// Tx and belongs to the same goroutine.
//
// Slices it returns are the store's memory: valid until the function of the
// Tx returns, never to be changed. Copy what you keep.
type Bucket struct {
	tx   *Tx
	bolt *bolt.Bucket // nil: does not exist
	err  error        // why it can never be written
}

// Exists reports whether there is such a bucket.
func (b *Bucket) Exists() bool { return b != nil && b.bolt != nil && !b.tx.ended }

// Bucket gives the bucket of that name inside this one, as Tx.Bucket does.
func (b *Bucket) Bucket(name string) *Bucket {
	if b == nil {
		return nil
	}
	return b.down([]string{name})
}

func (b *Bucket) down(path []string) *Bucket {
	for _, name := range path {
		b = b.child([]byte(name))
	}
	return b
}

func (b *Bucket) child(name []byte) *Bucket {
	switch {
	case len(name) == 0:
		return &Bucket{tx: b.tx, err: b.tx.note(ErrName)}
	case !b.Exists():
		return &Bucket{tx: b.tx, err: b.err}
	}
	inner := b.bolt.Bucket(name)
	if b.tx.work == nil {
		return &Bucket{tx: b.tx, bolt: inner}
	}
	if inner != nil {
		return filling(b.tx, inner)
	}
	inner, err := b.bolt.CreateBucket(name)
	if err != nil {
		return &Bucket{tx: b.tx, err: b.tx.note(err)}
	}
	b.tx.wrote(len(name))
	return filling(b.tx, inner)
}

// Get gives the value of key, nil if there is none. An empty value is not nil.
func (b *Bucket) Get(key []byte) []byte {
	if !b.Exists() {
		return nil
	}
	return b.bolt.Get(key)
}

// Put sets the value of key, both copied. Keys have 1 to 32,768 bytes. An
// error makes the whole operation fail.
func (b *Bucket) Put(key, value []byte) error {
	return b.write(len(key)+len(value), func() error {
		return b.bolt.Put(key, append(make([]byte, 0, len(value)), value...))
	})
}

// Delete removes key. A key that is not there is no error.
func (b *Bucket) Delete(key []byte) error {
	return b.write(len(key), func() error { return b.bolt.Delete(key) })
}

// DeleteBucket removes the bucket of that name with all it holds. One that is
// not there is no error.
func (b *Bucket) DeleteBucket(name string) error {
	return b.write(len(name), func() error {
		if err := b.bolt.DeleteBucket([]byte(name)); !errors.Is(err, bolterrors.ErrBucketNotFound) {
			return err
		}
		return nil
	})
}

// Sequence counts up the bucket's own counter and returns it: 1 at first. In
// a View, or if the operation is failing, it returns the counter as it is.
func (b *Bucket) Sequence() uint64 {
	if !b.Exists() {
		return 0
	}
	_ = b.write(8, func() error {
		_, err := b.bolt.NextSequence()
		return err
	})
	return b.bolt.Sequence()
}

// write runs one change and keeps account of it.
func (b *Bucket) write(n int, change func() error) error {
	switch {
	case b == nil:
		return ErrReadOnly
	case b.tx.ended:
		return ErrEnded
	case b.tx.work == nil:
		return ErrReadOnly
	case b.bolt == nil:
		return b.tx.note(firstError(b.err, ErrName))
	}
	if err := change(); err != nil {
		return b.tx.note(err)
	}
	b.tx.wrote(n)
	return nil
}

// Ascend calls fn for each key from the first one ≥ from (nil: all), upwards,
// until it returns false. Inner buckets are left out. fn may change the bucket.
func (b *Bucket) Ascend(from []byte, fn func(key, value []byte) bool) {
	b.each(func(c *bolt.Cursor) ([]byte, []byte) { return c.Seek(from) }, nil, fn)
}

// AscendPrefix is Ascend for the keys that begin with prefix.
func (b *Bucket) AscendPrefix(prefix []byte, fn func(key, value []byte) bool) {
	b.each(func(c *bolt.Cursor) ([]byte, []byte) { return c.Seek(prefix) }, prefix, fn)
}

func (b *Bucket) each(first func(*bolt.Cursor) ([]byte, []byte), prefix []byte, fn func(k, v []byte) bool) {
	if !b.Exists() {
		return
	}
	c := b.bolt.Cursor()
	k, v := first(c)
	for k != nil && bytes.HasPrefix(k, prefix) {
		before := b.changes()
		if v != nil && !fn(k, v) {
			return
		}
		if b.changes() == before {
			k, v = c.Next()
			continue
		}
		last := k
		if k, v = c.Seek(last); bytes.Equal(k, last) {
			k, v = c.Next()
		}
	}
}

// Descend calls fn for each key from the last one ≤ from (nil: all),
// downwards, until it returns false. Inner buckets are left out. fn may change
// the bucket.
func (b *Bucket) Descend(from []byte, fn func(key, value []byte) bool) {
	if !b.Exists() {
		return
	}
	c := b.bolt.Cursor()
	k, v := c.Last()
	if from != nil {
		k, v = before(c, from, true)
	}
	for k != nil {
		at := b.changes()
		if v != nil && !fn(k, v) {
			return
		}
		if b.changes() == at {
			k, v = c.Prev()
		} else {
			k, v = before(c, k, false)
		}
	}
}

// before finds the last key < key, or ≤ key.
func before(c *bolt.Cursor, key []byte, orEqual bool) ([]byte, []byte) {
	k, v := c.Seek(key)
	switch {
	case k == nil:
		return c.Last()
	case orEqual && bytes.Equal(k, key):
		return k, v
	}
	return c.Prev()
}

// Buckets gives the names of the inner buckets, ascending.
func (b *Bucket) Buckets() []string {
	var names []string
	if b.Exists() {
		_ = b.bolt.ForEachBucket(func(name []byte) error {
			names = append(names, string(name))
			return nil
		})
	}
	return names
}

// changes counts the writes of the transaction so far.
func (b *Bucket) changes() uint64 {
	if b.tx.work == nil {
		return 0
	}
	return b.tx.work.changes
}
