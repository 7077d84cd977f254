// Package shelf lays several small tables of the message feature into one bucket
// of the store, each under a first byte of its own. What changes together then
// stands on few pages, and a commit writes few: a bucket per table would cost two
// or three pages each. It knows no table's meaning.
package shelf

import "github.com/claudemesh/claudemesh/store"

// The tables, small ones first so that they share a page. The numbers are on disk:
// never change them.
const (
	Age       byte = 0x01 // the node's age
	OutUsage  byte = 0x02 // package outbox
	OutDue    byte = 0x03
	InUsage   byte = 0x04 // package inbox
	InOpen    byte = 0x05
	Cause     byte = 0x06 // package cause
	InLine    byte = 0x07 // package inbox
	OutRecord byte = 0x08 // package outbox
	InRecord  byte = 0x09 // package inbox
	InSpread  byte = 0x0a
	Shown     byte = 0x0b // package cause
	Notice    byte = 0x0c
)

// Shelf is one table in one transaction. Its rules are those of store.Bucket.
type Shelf struct {
	bucket *store.Bucket
	table  byte
}

// In gives a table in tx.
func In(tx *store.Tx, table byte) Shelf { return Shelf{tx.Bucket("message"), table} }

func (s Shelf) key(k []byte) []byte {
	return append(append(make([]byte, 0, 1+len(k)), s.table), k...)
}

// Get gives the value of key, nil if there is none.
func (s Shelf) Get(key []byte) []byte { return s.bucket.Get(s.key(key)) }

// Put sets the value of key.
func (s Shelf) Put(key, value []byte) error { return s.bucket.Put(s.key(key), value) }

// Delete removes key.
func (s Shelf) Delete(key []byte) error { return s.bucket.Delete(s.key(key)) }

// Ascend calls fn for each key from the first one ≥ from, upwards, until it
// returns false.
func (s Shelf) Ascend(from []byte, fn func(key, value []byte) bool) {
	s.bucket.Ascend(s.key(from), func(k, v []byte) bool {
		return k[0] == s.table && fn(k[1:], v)
	})
}

// AscendPrefix is Ascend for the keys that begin with prefix.
func (s Shelf) AscendPrefix(prefix []byte, fn func(key, value []byte) bool) {
	s.bucket.AscendPrefix(s.key(prefix), func(k, v []byte) bool { return fn(k[1:], v) })
}

// Descend calls fn for each key from the last one ≤ from, downwards, until it
// returns false.
func (s Shelf) Descend(from []byte, fn func(key, value []byte) bool) {
	s.bucket.Descend(s.key(from), func(k, v []byte) bool {
		return k[0] == s.table && fn(k[1:], v)
	})
}
