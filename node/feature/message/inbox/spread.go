package inbox

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Spread is what became of a message to many when it came: for whom it was kept.
// A second arrival finds it and changes nothing, whoever has come and gone since.
type Spread struct {
	Mesh     ident.MeshID
	Origin   ident.PublicKey
	ID       letter.ID
	Hash     ident.ID // of the statement
	Age      time.Duration
	Priority delivery.Priority
	Ord      uint64
	Prev     uint64 // the ord before it at this home, 0 for none; only written
	// Addresses have an entry each: sessions, or the member. None: nobody was meant.
	Addresses []ident.PublicKey
}

const (
	spreadKeySize = 20 + 32 + 16
	spreadHead    = 32 + 8 + 1 + 8
	// maxSpread bounds the addresses: more than the sessions of a node and the keys
	// of a list.
	maxSpread = 1024
)

func (s Spread) key() []byte {
	b := append(append(make([]byte, 0, spreadKeySize), s.Mesh[:]...), s.Origin[:]...)
	return append(b, s.ID[:]...)
}

// mark is where the line shows that the message has come.
func (s Spread) mark() []byte {
	return lineKey(Key{Mesh: s.Mesh, Origin: s.Origin}, s.Priority, s.Ord)
}

func (s Spread) encode() []byte {
	b := append(make([]byte, 0, spreadHead+32*len(s.Addresses)), s.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Age))
	b = append(b, byte(s.Priority))
	b = binary.BigEndian.AppendUint64(b, s.Ord)
	for _, a := range s.Addresses {
		b = append(b, a[:]...)
	}
	return b
}

func decodeSpread(k, v []byte) (Spread, error) {
	if len(k) != spreadKeySize || len(v) < spreadHead || (len(v)-spreadHead)%32 != 0 || len(v) > spreadHead+32*maxSpread {
		return Spread{}, fmt.Errorf("%w: spread of %d and %d bytes", ErrBroken, len(k), len(v))
	}
	s := Spread{
		Mesh: ident.MeshID(k[:20]), Origin: ident.PublicKey(k[20:52]), ID: letter.ID(k[52:]),
		Hash: ident.ID(v[:32]), Age: time.Duration(binary.BigEndian.Uint64(v[32:])),
		Priority: delivery.Priority(v[40]), Ord: binary.BigEndian.Uint64(v[41:]),
	}
	if !s.Priority.Valid() {
		return Spread{}, fmt.Errorf("%w: spread: priority %d", ErrBroken, s.Priority)
	}
	for rest := v[spreadHead:]; len(rest) > 0; rest = rest[32:] {
		s.Addresses = append(s.Addresses, ident.PublicKey(rest[:32]))
	}
	return s, nil
}

// Spread finds what became of a message to many.
func (b Box) Spread(mesh ident.MeshID, origin ident.PublicKey, id letter.ID) (Spread, bool, error) {
	k := Spread{Mesh: mesh, Origin: origin, ID: id}.key()
	v := b.spread.Get(k)
	if v == nil {
		return Spread{}, false, nil
	}
	s, err := decodeSpread(k, v)
	return s, err == nil, err
}

// AddSpread remembers what became of a message to many.
func (b Box) AddSpread(s Spread) error {
	if len(s.Addresses) > maxSpread {
		return fmt.Errorf("%w: spread to %d addresses", ErrBroken, len(s.Addresses))
	}
	mark := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(s.Age)), s.Prev)
	if err := b.line.Put(s.mark(), mark); err != nil {
		return err
	}
	return b.spread.Put(s.key(), s.encode())
}

// PruneSpread forgets up to max of those that came at or before an age.
func (b Box) PruneSpread(limit time.Duration, max int) error {
	var old []Spread
	var err error
	b.spread.Ascend(nil, func(k, v []byte) bool {
		var s Spread
		if s, err = decodeSpread(k, v); err != nil {
			return false
		}
		if s.Age <= limit {
			old = append(old, s)
		}
		return len(old) < max
	})
	if err != nil {
		return err
	}
	for _, s := range old {
		if err := b.line.Delete(s.mark()); err != nil {
			return err
		}
		if err := b.spread.Delete(s.key()); err != nil {
			return err
		}
	}
	return nil
}
