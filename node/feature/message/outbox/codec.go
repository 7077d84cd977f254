package outbox

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

const maxField = 1 << 20

func (m Message) encode() []byte {
	var f ident.Fields
	f.Bytes(1, m.Session[:])
	f.Bytes(2, m.Member[:])
	f.Bytes(3, m.Hash[:])
	f.Bytes(4, m.Request[:])
	f.Uint(5, m.Ord)
	f.Uint(6, uint64(m.Created.UnixMilli()))
	f.Uint(7, uint64(m.Age))
	f.Uint(8, uint64(m.Deadline))
	f.Uint(9, uint64(m.Priority))
	f.Bytes(10, m.Answer)
	f.Bytes(11, m.Cause[:])
	f.Uint(12, m.Depth)
	f.Bytes(13, m.Thread[:])
	f.Uint(14, uint64(m.Size))
	if m.Many {
		f.Uint(15, 1)
	}
	return f.Body()
}

func decodeMessage(b []byte) (Message, error) {
	r, err := ident.ReadFields(b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	if err != nil {
		return Message{}, fmt.Errorf("%w: message: %w", ErrBroken, err)
	}
	var m Message
	r.Need(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
	r.Fixed(1, m.Session[:])
	r.Fixed(2, m.Member[:])
	r.Fixed(3, m.Hash[:])
	r.Fixed(4, m.Request[:])
	m.Ord = r.Uint(5)
	m.Created = time.UnixMilli(int64(r.Uint(6)))
	m.Age = time.Duration(r.Uint(7))
	m.Deadline = time.Duration(r.Uint(8))
	m.Priority = delivery.Priority(r.Uint(9))
	m.Answer = r.Bytes(10, maxField)
	r.Fixed(11, m.Cause[:])
	m.Depth = r.Uint(12)
	r.Fixed(13, m.Thread[:])
	m.Size = int(r.Uint(14))
	m.Many = r.Uint(15) == 1
	if err := r.Err(); err != nil {
		return Message{}, fmt.Errorf("%w: message: %w", ErrBroken, err)
	}
	return m, nil
}

func (r Row) encode() []byte {
	var f ident.Fields
	f.Bytes(1, r.Home[:])
	f.Uint(2, uint64(r.State))
	f.Uint(3, uint64(r.Since.UnixMilli()))
	f.Uint(4, uint64(r.Index))
	f.Text(5, r.Target)
	f.Text(6, r.Name)
	f.Text(7, r.Reason)
	if r.Nobody {
		f.Uint(9, 1)
	}
	if r.Also {
		f.Uint(11, 1)
	}
	return f.Body()
}

func decodeRow(address, b []byte) (Row, error) {
	f, err := ident.ReadFields(b, 1, 2, 3, 4, 5, 6, 7, 9, 11)
	if err != nil {
		return Row{}, fmt.Errorf("%w: row: %w", ErrBroken, err)
	}
	r := Row{Address: ident.PublicKey(address)}
	f.Need(1, 2, 3, 4, 5, 6, 7)
	f.Fixed(1, r.Home[:])
	r.State = delivery.State(f.Uint(2))
	r.Since = time.UnixMilli(int64(f.Uint(3)))
	r.Index = int(f.Uint(4))
	r.Target = f.Text(5, maxField)
	r.Name = f.Text(6, maxField)
	r.Reason = f.Text(7, maxField)
	r.Nobody, r.Also = f.Uint(9) == 1, f.Uint(11) == 1
	if err := f.Err(); err != nil {
		return Row{}, fmt.Errorf("%w: row: %w", ErrBroken, err)
	}
	if !r.State.Valid() {
		return Row{}, fmt.Errorf("%w: row: state %d", ErrBroken, r.State)
	}
	return r, nil
}

func encodeText(statement, attest []byte) []byte {
	var f ident.Fields
	f.Bytes(1, statement)
	f.Bytes(2, attest)
	return f.Body()
}

func decodeText(b []byte) (statement, attest []byte, err error) {
	r, err := ident.ReadFields(b, 1, 2)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: text: %w", ErrBroken, err)
	}
	r.Need(1, 2)
	statement, attest = r.Bytes(1, maxField), r.Bytes(2, maxField)
	if err := r.Err(); err != nil {
		return nil, nil, fmt.Errorf("%w: text: %w", ErrBroken, err)
	}
	return statement, attest, nil
}

// A due value is: 1 byte what, id, deadline; for a receipt also the hash and the
// address it is about.
const (
	dueMessage = 1
	dueSeen    = 2

	dueSize     = 1 + 16 + 8
	dueSeenSize = dueSize + 32 + 32
)

func (d Due) encode() []byte {
	b := make([]byte, 0, dueSeenSize)
	what := byte(dueMessage)
	if d.Seen {
		what = dueSeen
	}
	b = append(append(b, what), d.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(d.Deadline))
	if d.Seen {
		b = append(append(b, d.Hash[:]...), d.Address[:]...)
	}
	return b
}

func decodeDue(key, b []byte) (Due, error) {
	if len(key) != dueKey || len(b) != dueSize && len(b) != dueSeenSize {
		return Due{}, fmt.Errorf("%w: due of %d bytes", ErrBroken, len(b))
	}
	d := Due{
		Home: Home{Mesh: ident.MeshID(key[:20]), Member: ident.PublicKey(key[20:52])},
		Ord:  binary.BigEndian.Uint64(key[52:]),
		Seen: b[0] == dueSeen, ID: letter.ID(b[1:17]),
		Deadline: time.Duration(binary.BigEndian.Uint64(b[17:25])),
	}
	if d.Seen != (len(b) == dueSeenSize) || !d.Seen && b[0] != dueMessage {
		return Due{}, fmt.Errorf("%w: due of kind %d", ErrBroken, b[0])
	}
	if d.Seen {
		d.Hash, d.Address = ident.ID(b[25:57]), ident.PublicKey(b[57:])
	}
	return d, nil
}
