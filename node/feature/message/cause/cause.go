package cause

import (
	"encoding/binary"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/shelf"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// ID is a cause.
type ID = [16]byte

// Box is what is remembered of causes in one transaction.
type Box struct {
	counts, shown, notices shelf.Shelf
}

// In gives what is remembered in tx.
func In(tx *store.Tx) Box {
	return Box{
		counts: shelf.In(tx, shelf.Cause), shown: shelf.In(tx, shelf.Shown), notices: shelf.In(tx, shelf.Notice),
	}
}

// Count is how many messages of a cause were sent or received here after its first
// one.
func (b Box) Count(c ID) uint64 {
	if v := b.counts.Get(c[:]); len(v) == 16 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// Add counts a message that is not the first of its cause.
func (b Box) Add(c ID, depth uint64, age time.Duration) error {
	if depth == 0 {
		return nil
	}
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 16), b.Count(c)+1)
	return b.counts.Put(c[:], binary.BigEndian.AppendUint64(v, uint64(age)))
}

// Shown is the peer's message that a session was shown last.
type Shown struct {
	Cause   ID
	Depth   uint64
	At      time.Time     // by the wall clock, to the millisecond
	Age     time.Duration // of the node
	ID      letter.ID
	Origin  ident.PublicKey // who wrote it: the member
	Session ident.PublicKey // and the session
}

const shownSize = 16 + 8 + 8 + 8 + 16 + 32 + 32

func (s Shown) encode() []byte {
	b := append(make([]byte, 0, shownSize), s.Cause[:]...)
	b = binary.BigEndian.AppendUint64(b, s.Depth)
	b = binary.BigEndian.AppendUint64(b, uint64(max(0, s.At.UnixMilli())))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Age))
	return append(append(append(b, s.ID[:]...), s.Origin[:]...), s.Session[:]...)
}

// decodeShown reads what encode wrote; anything else is nothing.
func decodeShown(v []byte) (Shown, bool) {
	if len(v) != shownSize {
		return Shown{}, false
	}
	return Shown{
		Cause: ID(v[:16]), Depth: binary.BigEndian.Uint64(v[16:]),
		At:  time.UnixMilli(int64(binary.BigEndian.Uint64(v[24:]))),
		Age: time.Duration(binary.BigEndian.Uint64(v[32:])),
		ID:  letter.ID(v[40:56]), Origin: ident.PublicKey(v[56:88]), Session: ident.PublicKey(v[88:]),
	}, true
}

// Last is what a session was shown last.
func (b Box) Last(session ident.PublicKey) (Shown, bool) { return decodeShown(b.shown.Get(session[:])) }

// SetLast remembers what a session is shown.
func (b Box) SetLast(session ident.PublicKey, s Shown) error {
	return b.shown.Put(session[:], s.encode())
}

// Tell notes that a session is told that a conversation has ended, and reports
// whether it is the first time.
func (b Box) Tell(c ID, session ident.PublicKey, age time.Duration) (first bool, err error) {
	k := append(c[:len(c):len(c)], session[:]...)
	if b.notices.Get(k) != nil {
		return false, nil
	}
	return true, b.notices.Put(k, binary.BigEndian.AppendUint64(nil, uint64(age)))
}

// Prune forgets, up to max of each, conversations that were quiet since an age,
// what sessions were shown before it, and who was told.
func (b Box) Prune(limit time.Duration, max int) error {
	for _, t := range []struct {
		table shelf.Shelf
		at    int // where the age stands
		size  int
	}{{b.counts, 8, 16}, {b.shown, 32, shownSize}, {b.notices, 0, 8}} {
		if err := prune(t.table, t.at, t.size, limit, max); err != nil {
			return err
		}
	}
	return nil
}

func prune(table shelf.Shelf, at, size int, limit time.Duration, max int) error {
	var old [][]byte
	table.Ascend(nil, func(k, v []byte) bool {
		if len(v) != size || time.Duration(binary.BigEndian.Uint64(v[at:])) <= limit {
			old = append(old, append([]byte{}, k...))
		}
		return len(old) < max
	})
	for _, k := range old {
		if err := table.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
