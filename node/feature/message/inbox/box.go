package inbox

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/shelf"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Key names an entry: who it is for, who sent it, which message.
type Key struct {
	Mesh    ident.MeshID
	Address ident.PublicKey // a session or the member
	ID      letter.ID
	Origin  ident.PublicKey
}

// Entry is one message for one address.
type Entry struct {
	Key
	Hash     ident.ID // of the statement
	State    delivery.Entry
	Seq      uint64 // order of arrival in the mesh
	Ord      uint64 // the sender's
	Prev     uint64 // the sender's, 0 for none
	Priority delivery.Priority
	Age      time.Duration // at arrival
	Arrived  time.Time
	Session  ident.PublicKey // who wrote it
	Name     string          // its name then
	Taker    ident.PublicKey // the session it was shown to; zero: none yet
	ReadAge  time.Duration   // when it was read; 0: not yet
	Size     int             // of the text; 0: deleted
	// Quiet entries are never pushed: they came for a member none of whose sessions
	// was open.
	Quiet bool
}

// Usage is what is counted against the limits of a mesh.
type Usage struct {
	Seq   uint64 // the last one given
	Rows  uint64 // entries with text
	Bytes uint64 // of it
	Read  uint64 // those of Rows that were read: they make room
}

// Limits bound the inbox of one member.
type Limits struct {
	Rows  uint64
	Bytes uint64
}

// Box is the inbox in one transaction.
type Box struct {
	record, open, line, usage, spread shelf.Shelf
}

// In gives the inbox in tx.
func In(tx *store.Tx) Box {
	return Box{
		record: shelf.In(tx, shelf.InRecord), open: shelf.In(tx, shelf.InOpen),
		line: shelf.In(tx, shelf.InLine), usage: shelf.In(tx, shelf.InUsage),
		spread: shelf.In(tx, shelf.InSpread),
	}
}

// Usage tells how full the inbox of a mesh is.
func (b Box) Usage(mesh ident.MeshID) Usage {
	v := b.usage.Get(mesh[:])
	if len(v) != 32 {
		return Usage{}
	}
	return Usage{
		Seq:  binary.BigEndian.Uint64(v),
		Rows: binary.BigEndian.Uint64(v[8:]), Bytes: binary.BigEndian.Uint64(v[16:]),
		Read: binary.BigEndian.Uint64(v[24:]),
	}
}

func (b Box) setUsage(mesh ident.MeshID, u Usage) error {
	v := make([]byte, 0, 32)
	for _, n := range []uint64{u.Seq, u.Rows, u.Bytes, u.Read} {
		v = binary.BigEndian.AppendUint64(v, n)
	}
	return b.usage.Put(mesh[:], v)
}

// Get finds an entry.
func (b Box) Get(k Key) (Entry, bool, error) {
	v := b.record.Get(k.entryKey())
	if v == nil {
		return Entry{}, false, nil
	}
	e, err := decodeEntry(v)
	e.Key = k
	return e, err == nil, err
}

// Room tells whether n entries of that size fit, and makes room by deleting texts
// that were read.
func (b Box) Room(mesh ident.MeshID, n, size int, l Limits) (bool, error) {
	fits := func(u Usage) bool { return u.Rows+uint64(n) <= l.Rows && u.Bytes+uint64(n*size) <= l.Bytes }
	if fits(b.Usage(mesh)) {
		return true, nil
	}
	if b.Usage(mesh).Read == 0 {
		return false, nil
	}
	old, err := b.someRead(mesh, 64)
	if err != nil {
		return false, err
	}
	for _, e := range old {
		if err := b.deleteText(e); err != nil {
			return false, err
		}
		if fits(b.Usage(mesh)) {
			return true, nil
		}
	}
	return false, nil
}

// Add stores a new entry with its text and returns it with its Seq. The key must
// not be taken.
func (b Box) Add(e Entry, statement []byte) (Entry, error) {
	u := b.Usage(e.Mesh)
	u.Seq++
	u.Rows++
	u.Bytes += uint64(len(statement))
	e.Seq, e.Size = u.Seq, len(statement)
	if err := b.record.Put(e.entryKey(), e.encode()); err != nil {
		return e, err
	}
	if err := b.record.Put(e.textKey(), statement); err != nil {
		return e, err
	}
	if e.State == delivery.Waiting || e.State == delivery.Offered {
		if err := b.await(e); err != nil {
			return e, err
		}
	}
	return e, b.setUsage(e.Mesh, u)
}

// await lists an entry as not read yet, and as come.
func (b Box) await(e Entry) error {
	if err := b.open.Put(openKey(e.Mesh, e.Address, e.Seq), e.bytes()[52:]); err != nil {
		return err
	}
	line := lineKey(e.Key, e.Priority, e.Ord)
	return b.line.Put(line, binary.BigEndian.AppendUint64(nil, e.Seq))
}

// Text reads the message of an entry.
func (b Box) Text(e Entry) (letter.Message, error) {
	v := b.record.Get(e.textKey())
	if v == nil {
		return letter.Message{}, fmt.Errorf("%w: no text of %s", ErrBroken, e.ID)
	}
	s, err := ident.ParseStatement(v, letter.MaxMessage)
	if err != nil {
		return letter.Message{}, fmt.Errorf("%w: text of %s: %w", ErrBroken, e.ID, err)
	}
	m, err := letter.DecodeMessage(s.Body)
	if err != nil {
		return letter.Message{}, fmt.Errorf("%w: text of %s: %w", ErrBroken, e.ID, err)
	}
	return m, nil
}

// Happen changes an entry: it was pushed to or read by a session. It returns the
// entry as it is now, and whether that differs.
func (b Box) Happen(e Entry, h delivery.Happening, taker ident.PublicKey, age time.Duration) (Entry, bool, error) {
	next, changed := e.State.Next(h)
	if !changed {
		return e, false, nil
	}
	e.State = next
	if e.Taker.IsZero() {
		e.Taker = taker
	}
	switch next {
	case delivery.Quarantined:
		if err := b.open.Delete(openKey(e.Mesh, e.Address, e.Seq)); err != nil {
			return e, false, err
		}
	case delivery.Waiting:
		if err := b.await(e); err != nil {
			return e, false, err
		}
	case delivery.Read:
		e.ReadAge = max(age, 1)
		if e.Size > 0 {
			u := b.Usage(e.Mesh)
			u.Read++
			if err := b.setUsage(e.Mesh, u); err != nil {
				return e, false, err
			}
		}
		if err := b.open.Delete(openKey(e.Mesh, e.Address, e.Seq)); err != nil {
			return e, false, err
		}
	}
	return e, true, b.record.Put(e.entryKey(), e.encode())
}
