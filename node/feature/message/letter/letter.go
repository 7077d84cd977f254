package letter

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Everyone is the index of an address that stands for whoever the targets of a
// message to many mean at the home.
const Everyone = MaxTo

// Limits of a letter.
const (
	// MaxLetter fits the frames of the post with their sealing.
	MaxLetter = 80<<10 - 64
	// MaxAttest is the largest attestation.
	MaxAttest = 2 << 10

	maxStatement = MaxMessage + 96
)

const (
	kindMessage byte = 1
	kindReceipt byte = 2
)

// Letter is a message on its way to one home.
type Letter struct {
	Statement []byte // the message statement as Marshal writes it
	Attest    []byte
	Ord       uint64
	Addresses []Address
	Remaining time.Duration
}

// Address is one of the addresses at the home a letter goes to.
type Address struct {
	Index int    // in the message's To, or Everyone
	Prev  uint64 // the ord before it in the same line, 0 for none
}

// Pack writes a message letter.
func (l Letter) Pack() []byte {
	addresses := make([]byte, 0, 10*len(l.Addresses))
	for _, a := range l.Addresses {
		addresses = binary.BigEndian.AppendUint16(addresses, uint16(a.Index))
		addresses = binary.BigEndian.AppendUint64(addresses, a.Prev)
	}
	var f ident.Fields
	f.Bytes(1, l.Statement)
	f.Bytes(2, l.Attest)
	f.Uint(3, l.Ord)
	f.Bytes(4, addresses)
	f.Uint(5, uint64(max(0, l.Remaining.Milliseconds())))
	return append([]byte{kindMessage}, f.Body()...)
}

// PackReceipt writes a receipt letter of a receipt statement.
func PackReceipt(statement []byte) []byte { return append([]byte{kindReceipt}, statement...) }

// Parse reads a letter: the first result for a message, the second, a receipt
// statement, for a receipt. It fails with ErrMalformed or ErrKind.
func Parse(b []byte) (*Letter, []byte, error) {
	switch {
	case len(b) == 0:
		return nil, nil, fmt.Errorf("%w: empty", ErrMalformed)
	case len(b) > MaxLetter:
		return nil, nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(b), MaxLetter)
	case b[0] == kindReceipt:
		return nil, b[1:], nil
	case b[0] != kindMessage:
		return nil, nil, fmt.Errorf("%w: %d", ErrKind, b[0])
	}
	l, err := parseMessage(b[1:])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return l, nil, nil
}

func parseMessage(b []byte) (*Letter, error) {
	r, err := ident.ReadFields(b, 1, 2, 3, 4, 5)
	if err != nil {
		return nil, err
	}
	r.Need(1, 2, 3, 4, 5)
	l := &Letter{
		Statement: r.Bytes(1, maxStatement),
		Attest:    r.Bytes(2, MaxAttest),
		Ord:       r.Uint(3),
	}
	addresses, remaining := r.Bytes(4, 10*(MaxTo+1)), r.Uint(5)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(addresses) == 0 || len(addresses)%10 != 0 {
		return nil, fmt.Errorf("%d bytes are no list of addresses", len(addresses))
	}
	if remaining > uint64(MaxTTL.Milliseconds()) || l.Ord == 0 {
		return nil, fmt.Errorf("number out of range")
	}
	l.Remaining = time.Duration(remaining) * time.Millisecond
	last := -1
	for ; len(addresses) > 0; addresses = addresses[10:] {
		a := Address{Index: int(binary.BigEndian.Uint16(addresses)), Prev: binary.BigEndian.Uint64(addresses[2:])}
		if a.Index <= last || a.Index > Everyone || a.Prev >= l.Ord {
			return nil, fmt.Errorf("address out of range")
		}
		last = a.Index
		l.Addresses = append(l.Addresses, a)
	}
	return l, nil
}
