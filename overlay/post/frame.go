package post

import (
	"encoding/binary"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// Limits on frames.
const (
	// MaxFrame is the largest frame an opener may send.
	MaxFrame = 80 << 10
	// MaxBackFrame is the largest frame an answerer may send.
	MaxBackFrame = 256 << 10
	// MaxLetter is the largest letter, and the largest receipt posted by itself.
	MaxLetter = MaxFrame - 1 - seal.TagSize
	// MaxReceipt is the largest receipt Deliver may return for a batch.
	MaxReceipt = MaxBackFrame - 1 - seal.TagSize - binary.MaxVarintLen16

	maxOpen      = 8 << 10 // open and unknown
	maxStatement = 3 << 10 // a statement in them
)

// kind is a frame's first byte.
type kind byte

const (
	kindOpen    kind = 1
	kindLetter  kind = 2
	kindReceipt kind = 3
	kindAck     kind = 4
	kindUnknown kind = 5
)

const (
	fieldKeyID     = 2
	fieldStatement = 4
	fieldDelivery  = 6
)

// open is the content of an open frame, and with the delivery alone of an unknown one.
type open struct {
	keyID     [32]byte
	statement ident.Statement
	delivery  []byte // a statement as it travels; empty if there is none
}

// splitFrame takes a frame's kind off.
func splitFrame(b []byte) (kind, []byte, error) {
	if len(b) == 0 {
		return 0, nil, fmt.Errorf("%w: empty", errFrame)
	}
	k := kind(b[0])
	if k < kindOpen || k > kindUnknown {
		return 0, nil, fmt.Errorf("%w: kind %d", errFrame, b[0])
	}
	return k, b[1:], nil
}

// frame puts a kind before a content.
func frame(k kind, content []byte) []byte {
	b := make([]byte, 0, 1+len(content))
	return append(append(b, byte(k)), content...)
}

func (o open) encode() []byte {
	var f ident.Fields
	f.Bytes(fieldKeyID, o.keyID[:])
	f.Bytes(fieldStatement, o.statement.Marshal())
	f.Bytes(fieldDelivery, o.delivery)
	return f.Body()
}

// decodeOpen reads what encode writes; errFrame otherwise. Nothing is verified.
func decodeOpen(b []byte) (open, error) {
	if len(b) > maxOpen {
		return open{}, fmt.Errorf("%w: open of %d bytes", errFrame, len(b))
	}
	r, err := ident.ReadFields(b, fieldKeyID, fieldStatement, fieldDelivery)
	if err != nil {
		return open{}, fmt.Errorf("%w: open: %w", errFrame, err)
	}
	var o open
	r.Need(fieldKeyID, fieldStatement, fieldDelivery)
	r.Fixed(fieldKeyID, o.keyID[:])
	stmt := r.Bytes(fieldStatement, maxStatement)
	o.delivery = r.Bytes(fieldDelivery, maxStatement)
	if err := r.Err(); err != nil {
		return open{}, fmt.Errorf("%w: open: %w", errFrame, err)
	}
	if o.statement, err = ident.ParseStatement(stmt, maxStatement); err != nil {
		return open{}, fmt.Errorf("%w: stream statement: %w", errFrame, err)
	}
	return o, nil
}

func encodeUnknown(delivery []byte) []byte {
	var f ident.Fields
	f.Bytes(fieldDelivery, delivery)
	return f.Body()
}

// decodeUnknown reads the delivery statement of an unknown frame, empty if there is none.
func decodeUnknown(b []byte) ([]byte, error) {
	r, err := ident.ReadFields(b, fieldDelivery)
	if err != nil {
		return nil, fmt.Errorf("%w: unknown: %w", errFrame, err)
	}
	r.Need(fieldDelivery)
	delivery := r.Bytes(fieldDelivery, maxStatement)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: unknown: %w", errFrame, err)
	}
	return delivery, nil
}

func encodeAck(count int, receipt []byte) []byte {
	b := make([]byte, 0, binary.MaxVarintLen16+len(receipt))
	return append(binary.AppendUvarint(b, uint64(count)), receipt...)
}

// decodeAck reads the plaintext of an ack. count is 1 to maxBatch.
func decodeAck(b []byte) (count int, receipt []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v == 0 || v > maxBatch || n != len(binary.AppendUvarint(nil, v)) {
		return 0, nil, fmt.Errorf("%w: ack", errFrame)
	}
	return int(v), b[n:], nil
}
