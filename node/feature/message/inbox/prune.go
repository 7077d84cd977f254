package inbox

import (
	"encoding/binary"
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
	b.box.Ascend(nil, func(k, _ []byte) bool {
		if len(k) == 20 {
			out = append(out, ident.MeshID(k))
		}
		return true
	})
	return out
}

// Prune looks at up to max entries of a mesh behind a Seq, oldest first, and
// deletes texts and keys whose time is over. It returns the Seq to go on from,
// 0 when it came to entries that are too young for anything.
func (b Box) Prune(mesh ident.MeshID, after uint64, age time.Duration, r Retention, max int) (uint64, error) {
	var entries []Entry
	var failed error
	youngest := min(r.Read, r.Unread, r.Keys)
	next := uint64(0)
	b.seq.Ascend(seqKey(mesh, after+1), func(k, v []byte) bool {
		if len(k) != 28 || ident.MeshID(k[:20]) != mesh {
			return false
		}
		e, err := b.at(mesh, v)
		if err != nil {
			failed = err
			return false
		}
		if age-e.Age < youngest {
			return false
		}
		entries = append(entries, e)
		if len(entries) == max {
			next = e.Seq
			return false
		}
		return true
	})
	if failed != nil {
		return 0, failed
	}
	for _, e := range entries {
		if err := b.prune(e, age, r); err != nil {
			return 0, err
		}
	}
	return next, nil
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
	if err := b.text.Delete(seqKey(e.Mesh, e.Seq)); err != nil {
		return err
	}
	if err := b.open.Delete(openKey(e.Mesh, e.Address, e.Seq)); err != nil {
		return err
	}
	e.Size = 0
	if err := b.key.Put(e.bytes(), e.encode()); err != nil {
		return err
	}
	return b.setUsage(e.Mesh, u)
}

func (b Box) forget(e Entry) error {
	if err := b.key.Delete(e.bytes()); err != nil {
		return err
	}
	if err := b.seq.Delete(seqKey(e.Mesh, e.Seq)); err != nil {
		return err
	}
	line := lineKey(e.Key, e.Priority, e.Ord)
	if v := b.line.Get(line); len(v) == 8 && binary.BigEndian.Uint64(v) == e.Seq {
		return b.line.Delete(line)
	}
	return nil
}

// oldest lists the entries among the first max of a mesh that want accepts.
func (b Box) oldest(mesh ident.MeshID, max int, want func(Entry) bool) (out []Entry, err error) {
	n := 0
	b.seq.AscendPrefix(mesh[:], func(_, v []byte) bool {
		var e Entry
		if e, err = b.at(mesh, v); err != nil {
			return false
		}
		if want(e) {
			out = append(out, e)
		}
		n++
		return n < max
	})
	return out, err
}

// at finds the entry of a value of the bucket seq.
func (b Box) at(mesh ident.MeshID, point []byte) (Entry, error) {
	k, err := keyOf(mesh, point)
	if err != nil {
		return Entry{}, err
	}
	e, ok, err := b.Get(k)
	if err == nil && !ok {
		err = ErrBroken
	}
	return e, err
}
