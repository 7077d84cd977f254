package code

import (
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// MaxFrame is the largest frame of the exchange, in bytes.
const MaxFrame = 512

// kind is a frame's first byte; those below are package join's.
type kind byte

const (
	kindRefused kind = 5
	kindLook    kind = 6
	kindHere    kind = 7
	kindStart   kind = 8
	kindAnswer  kind = 9
	kindConfirm kind = 10
	kindSecret  kind = 11
)

// Fields. The first of a refusal is its text.
const (
	fieldPlate  = 2
	fieldPoint  = 4
	fieldMAC    = 6
	fieldSealed = 8
)

// Begins tells whether a stream's first frame is for this package.
func Begins(frame []byte) bool {
	return len(frame) > 0 && (kind(frame[0]) == kindLook || kind(frame[0]) == kindStart)
}

// message is any frame, decoded.
type message struct {
	kind   kind
	plate  int
	point  point
	mac    [macSize]byte
	sealed []byte
	why    string
}

// encode writes a frame.
func (m message) encode() []byte {
	var f ident.Fields
	switch m.kind {
	case kindRefused:
		f.Text(fieldPlate, m.why)
	case kindLook, kindHere, kindStart:
		f.Uint(fieldPlate, uint64(m.plate))
	}
	if m.kind == kindStart || m.kind == kindAnswer {
		f.Bytes(fieldPoint, m.point[:])
	}
	if m.kind == kindConfirm || m.kind == kindSecret {
		f.Bytes(fieldMAC, m.mac[:])
	}
	if m.kind == kindSecret {
		f.Bytes(fieldSealed, m.sealed)
	}
	return append([]byte{byte(m.kind)}, f.Body()...)
}

// decode reads what encode writes, and nothing else. It fails with ErrMalformed.
func decode(raw []byte) (message, error) {
	if len(raw) == 0 || len(raw) > MaxFrame {
		return message{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(raw))
	}
	m := message{kind: kind(raw[0])}
	fields := m.fields()
	if fields == nil {
		return message{}, fmt.Errorf("%w: kind %d", ErrMalformed, m.kind)
	}
	r, err := ident.ReadFields(raw[1:], fields...)
	if err != nil {
		return message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r.Need(fields...)
	for _, field := range fields {
		if err := m.read(r, field); err != nil {
			return message{}, err
		}
	}
	if err := r.Err(); err != nil {
		return message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return m, nil
}

// fields are those of the kind; nil: there is no such kind.
func (m message) fields() []uint64 {
	switch m.kind {
	case kindRefused, kindLook, kindHere:
		return []uint64{fieldPlate}
	case kindStart:
		return []uint64{fieldPlate, fieldPoint}
	case kindAnswer:
		return []uint64{fieldPoint}
	case kindConfirm:
		return []uint64{fieldMAC}
	case kindSecret:
		return []uint64{fieldMAC, fieldSealed}
	}
	return nil
}

func (m *message) read(r *ident.Reader, field uint64) (err error) {
	const maxWhy = 32
	switch {
	case m.kind == kindRefused:
		m.why = r.Text(field, maxWhy)
	case field == fieldPlate:
		n := r.Uint(field)
		if r.Err() == nil && (n < 1 || n > MaxPlate) {
			return fmt.Errorf("%w: nameplate %d", ErrMalformed, n)
		}
		m.plate = int(n)
	case field == fieldPoint:
		raw := r.Bytes(field, pointSize)
		if r.Err() == nil {
			m.point, err = readPoint(raw)
		}
	case field == fieldMAC:
		r.Fixed(field, m.mac[:])
	case field == fieldSealed:
		m.sealed = r.Bytes(field, sealedSize)
	}
	return err
}
