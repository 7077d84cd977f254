package inbox

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

const (
	maxName  = 1 << 10
	pointKey = 32 + 16 + 32 // address ‖ id ‖ origin
)

func (e Entry) encode() []byte {
	var f ident.Fields
	f.Bytes(1, e.Hash[:])
	f.Uint(2, uint64(e.State))
	f.Uint(3, e.Seq)
	f.Uint(4, e.Ord)
	f.Uint(5, e.Prev)
	f.Uint(6, uint64(e.Priority))
	f.Uint(7, uint64(e.Age))
	f.Uint(8, uint64(e.Arrived.UnixMilli()))
	f.Bytes(9, e.Session[:])
	f.Bytes(10, e.Taker[:])
	f.Text(11, e.Name)
	f.Uint(12, uint64(e.ReadAge))
	f.Uint(13, uint64(e.Size))
	if e.Quiet {
		f.Uint(15, 1)
	}
	return f.Body()
}

func decodeEntry(b []byte) (Entry, error) {
	r, err := ident.ReadFields(b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: entry: %w", ErrBroken, err)
	}
	var e Entry
	r.Need(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
	r.Fixed(1, e.Hash[:])
	e.State = delivery.Entry(r.Uint(2))
	e.Seq, e.Ord, e.Prev = r.Uint(3), r.Uint(4), r.Uint(5)
	e.Priority = delivery.Priority(r.Uint(6))
	e.Age = time.Duration(r.Uint(7))
	e.Arrived = time.UnixMilli(int64(r.Uint(8)))
	r.Fixed(9, e.Session[:])
	r.Fixed(10, e.Taker[:])
	e.Name = r.Text(11, maxName)
	e.ReadAge = time.Duration(r.Uint(12))
	e.Size = int(r.Uint(13))
	e.Quiet = r.Uint(15) == 1
	if err := r.Err(); err != nil {
		return Entry{}, fmt.Errorf("%w: entry: %w", ErrBroken, err)
	}
	if !e.State.Valid() || !e.Priority.Valid() {
		return Entry{}, fmt.Errorf("%w: entry: state %d, priority %d", ErrBroken, e.State, e.Priority)
	}
	return e, nil
}

func (k Key) bytes() []byte {
	b := make([]byte, 0, 20+pointKey+1)
	b = append(append(b, k.Mesh[:]...), k.Address[:]...)
	return append(append(b, k.ID[:]...), k.Origin[:]...)
}

// keyOf reads address ‖ id ‖ origin.
func keyOf(mesh ident.MeshID, b []byte) (Key, error) {
	if len(b) != pointKey {
		return Key{}, fmt.Errorf("%w: key of %d bytes", ErrBroken, len(b))
	}
	return Key{
		Mesh: mesh, Address: ident.PublicKey(b[:32]),
		ID: letter.ID(b[32:48]), Origin: ident.PublicKey(b[48:]),
	}, nil
}

func openKey(mesh ident.MeshID, address ident.PublicKey, seq uint64) []byte {
	b := append(append(make([]byte, 0, 60), mesh[:]...), address[:]...)
	return binary.BigEndian.AppendUint64(b, seq)
}

// entryKey and textKey are where the parts of an entry stand.
func (k Key) entryKey() []byte { return append(k.bytes(), 0) }

func (k Key) textKey() []byte { return append(k.bytes(), 1) }

// lineKey without ord is the prefix of the line.
func lineKey(k Key, p delivery.Priority, ord uint64) []byte {
	b := append(append(make([]byte, 0, 93), k.Mesh[:]...), k.Address[:]...)
	b = append(append(b, k.Origin[:]...), byte(p))
	return binary.BigEndian.AppendUint64(b, ord)
}
