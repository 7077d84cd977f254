package inbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Retention is how long things are kept.
type Retention struct {
	Read   time.Duration // texts that were read
	Unread time.Duration // those that never were
	Keys   time.Duration // keys, from arrival, even without a text
}

// Meshes lists the meshes that have an inbox.
func (b Box) Meshes() []ident.MeshID {
	var out []ident.MeshID
	b.usage.Ascend(nil, func(k, _ []byte) bool {
		if len(k) == 20 {
			out = append(out, ident.MeshID(k))
		}
		return true
	})
	return out
}

// Prune looks at up to max entries behind a place (nil: the first), and deletes
// texts and keys whose time is over. It returns the place to go on from, nil at the
// end.
func (b Box) Prune(behind []byte, age time.Duration, r Retention, max int) ([]byte, error) {
	entries, next, err := b.entries(append(behind[:len(behind):len(behind)], 0), nil, max)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := b.prune(e, age, r); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// entries lists up to max entries from a place on, while their keys begin with
// prefix, and the place of the last one if there were that many.
func (b Box) entries(from, prefix []byte, max int) (out []Entry, last []byte, err error) {
	b.record.Ascend(from, func(k, v []byte) bool {
		if !bytes.HasPrefix(k, prefix) {
			return false
		}
		var e Entry
		var is bool
		if e, is, err = record(k, v); is && err == nil {
			out = append(out, e)
			if len(out) == max {
				last = append([]byte{}, k...)
			}
		}
		return err == nil && len(out) < max
	})
	return out, last, err
}

// record reads an entry from its place. is tells whether there is one: texts stand
// between them.
func record(k, v []byte) (e Entry, is bool, err error) {
	if len(k) != 20+pointKey+1 {
		return Entry{}, false, fmt.Errorf("%w: key of %d bytes", ErrBroken, len(k))
	}
	if k[20+pointKey] != 0 {
		return Entry{}, false, nil
	}
	if e, err = decodeEntry(v); err == nil {
		e.Key, err = keyOf(ident.MeshID(k[:20]), k[20:20+pointKey])
	}
	return e, err == nil, err
}

func (b Box) prune(e Entry, age time.Duration, r Retention) error {
	if e.Size > 0 {
		over := age-e.Age >= r.Unread
		if e.State == delivery.Read {
			over = age-e.ReadAge >= r.Read
		}
		if !over {
			return nil
		}
		if err := b.deleteText(e); err != nil {
			return err
		}
		e.Size = 0
	}
	if age-e.Age < r.Keys {
		return nil
	}
	return b.forget(e)
}

// deleteText removes the text; what was never read is not shown any more.
func (b Box) deleteText(e Entry) error {
	u := b.Usage(e.Mesh)
	u.Rows -= min(u.Rows, 1)
	u.Bytes -= min(u.Bytes, uint64(e.Size))
	if e.State == delivery.Read {
		u.Read -= min(u.Read, 1)
	}
	if err := b.record.Delete(e.textKey()); err != nil {
		return err
	}
	if err := b.open.Delete(openKey(e.Mesh, e.Address, e.Seq)); err != nil {
		return err
	}
	e.Size = 0
	if err := b.record.Put(e.entryKey(), e.encode()); err != nil {
		return err
	}
	return b.setUsage(e.Mesh, u)
}

func (b Box) forget(e Entry) error {
	if err := b.record.Delete(e.entryKey()); err != nil {
		return err
	}
	line := lineKey(e.Key, e.Priority, e.Ord)
	if v := b.line.Get(line); len(v) == 8 && binary.BigEndian.Uint64(v) == e.Seq {
		return b.line.Delete(line)
	}
	return nil
}

// someRead lists up to max entries of a mesh with texts that were read.
func (b Box) someRead(mesh ident.MeshID, max int) (out []Entry, err error) {
	for from := mesh[:]; from != nil && len(out) < max && err == nil; {
		var some []Entry
		if some, from, err = b.entries(from, mesh[:], 256); from != nil {
			from = append(from, 0)
		}
		for _, e := range some {
			if e.State == delivery.Read && e.Size > 0 && len(out) < max {
				out = append(out, e)
			}
		}
	}
	return out, err
}
