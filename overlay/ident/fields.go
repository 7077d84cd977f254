package ident

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Fields writes a statement body. Tags must be given in ascending order, once
// each; anything else is a mistake in the program and panics. The zero value
// is an empty body.
type Fields struct {
	body []byte
	last uint64
	some bool
}

// Bytes writes a field with the value v.
func (f *Fields) Bytes(tag uint64, v []byte) {
	f.head(tag, len(v))
	f.body = append(f.body, v...)
}

// Uint writes a field with an integer.
func (f *Fields) Uint(tag, v uint64) {
	f.head(tag, 8)
	f.body = binary.BigEndian.AppendUint64(f.body, v)
}

// Text writes a field with text, which must be valid UTF-8 to be readable.
func (f *Fields) Text(tag uint64, s string) {
	f.head(tag, len(s))
	f.body = append(f.body, s...)
}

// List writes a field with a list.
func (f *Fields) List(tag uint64, items [][]byte) {
	n := uvarintLen(uint64(len(items)))
	for _, it := range items {
		n += uvarintLen(uint64(len(it))) + len(it)
	}
	f.head(tag, n)
	f.body = appendUvarint(f.body, uint64(len(items)))
	for _, it := range items {
		f.body = appendUvarint(f.body, uint64(len(it)))
		f.body = append(f.body, it...)
	}
}

// Body is what was written so far. It is not copied.
func (f *Fields) Body() []byte { return f.body }

func (f *Fields) head(tag uint64, n int) {
	if f.some && tag <= f.last {
		panic(fmt.Sprintf("ident: field %d written after field %d", tag, f.last))
	}
	f.last, f.some = tag, true
	f.body = appendUvarint(f.body, tag)
	f.body = appendUvarint(f.body, uint64(n))
}

// Reader reads a statement body. Each method reads one field by its tag; a
// field that is not there reads as zero, unless Need asked for it. The first
// error sticks: read all fields, then look at Err once.
type Reader struct {
	values map[uint64][]byte
	err    error
}

// ReadFields takes a body apart. known are all tags the caller understands:
// other odd tags are ignored, other even ones refused with ErrUnknownField.
// What Fields would not write is refused with ErrEncoding. Values are not
// copied out of body until they are read.
func ReadFields(body []byte, known ...uint64) (*Reader, error) {
	r := &Reader{values: make(map[uint64][]byte, len(known))}
	var last uint64
	for first := true; len(body) > 0; first = false {
		tag, value, rest, err := cutField(body)
		if err != nil {
			return nil, err
		}
		if !first && tag <= last {
			return nil, fmt.Errorf("%w: field %d after field %d", ErrEncoding, tag, last)
		}
		switch {
		case slices.Contains(known, tag):
			r.values[tag] = value
		case tag%2 == 0:
			return nil, fmt.Errorf("%w: field %d", ErrUnknownField, tag)
		}
		last, body = tag, rest
	}
	return r, nil
}

// Need makes each missing one of tags an error, ErrMissingField.
func (r *Reader) Need(tags ...uint64) {
	for _, tag := range tags {
		if !r.Has(tag) {
			r.fail(fmt.Errorf("%w: field %d", ErrMissingField, tag))
		}
	}
}

// Has tells whether the field is there, even if empty.
func (r *Reader) Has(tag uint64) bool {
	_, ok := r.values[tag]
	return ok
}

// Bytes reads a field of up to max bytes, as a copy. A missing field is nil.
func (r *Reader) Bytes(tag uint64, max int) []byte {
	v, ok := r.values[tag]
	if !ok {
		return nil
	}
	if len(v) > max {
		r.fail(fmt.Errorf("%w: field %d has %d bytes, at most %d", ErrTooLarge, tag, len(v), max))
		return nil
	}
	return append([]byte{}, v...)
}

// Fixed reads a field of exactly len(dst) bytes into dst. A missing field
// leaves dst alone.
func (r *Reader) Fixed(tag uint64, dst []byte) {
	v, ok := r.values[tag]
	if !ok {
		return
	}
	if len(v) != len(dst) {
		r.fail(fmt.Errorf("%w: field %d has %d bytes instead of %d", ErrEncoding, tag, len(v), len(dst)))
		return
	}
	copy(dst, v)
}

// Uint reads an integer; a missing field is 0.
func (r *Reader) Uint(tag uint64) uint64 {
	var b [8]byte
	r.Fixed(tag, b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Text reads valid UTF-8 of up to max bytes; a missing field is "".
func (r *Reader) Text(tag uint64, max int) string {
	b := r.Bytes(tag, max)
	if !utf8.Valid(b) {
		r.fail(fmt.Errorf("%w: field %d is not UTF-8", ErrEncoding, tag))
		return ""
	}
	return string(b)
}

// Key reads an Ed25519 public key with the checks of ParsePublicKey; a missing
// field is the zero key.
func (r *Reader) Key(tag uint64) PublicKey {
	v, ok := r.values[tag]
	if !ok {
		return PublicKey{}
	}
	k, err := ParsePublicKey(v)
	if err != nil {
		r.fail(fmt.Errorf("field %d: %w", tag, err))
	}
	return k
}

// List reads a list of up to maxItems items of up to maxItem bytes each, as
// copies. A missing field is nil.
func (r *Reader) List(tag uint64, maxItems, maxItem int) [][]byte {
	v, ok := r.values[tag]
	if !ok {
		return nil
	}
	items, err := parseList(v, maxItems, maxItem)
	if err != nil {
		r.fail(fmt.Errorf("field %d: %w", tag, err))
		return nil
	}
	return items
}

// Err is the first error of ReadFields' result and all reads since.
func (r *Reader) Err() error { return r.err }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func parseList(v []byte, maxItems, maxItem int) ([][]byte, error) {
	count, v, err := cutUvarint(v)
	if err != nil {
		return nil, err
	}
	if count > uint64(maxItems) {
		return nil, fmt.Errorf("%w: list of %d, at most %d", ErrTooLarge, count, maxItems)
	}
	if count > uint64(len(v)) { // an item takes a byte at least
		return nil, fmt.Errorf("%w: list cut short", ErrEncoding)
	}
	items := make([][]byte, 0, count)
	for range count {
		item, rest, err := cutBytes(v)
		if err != nil {
			return nil, err
		}
		if len(item) > maxItem {
			return nil, fmt.Errorf("%w: item of %d bytes, at most %d", ErrTooLarge, len(item), maxItem)
		}
		items = append(items, append([]byte{}, item...))
		v = rest
	}
	if len(v) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the list", ErrEncoding, len(v))
	}
	return items, nil
}

func cutField(b []byte) (tag uint64, value, rest []byte, err error) {
	tag, b, err = cutUvarint(b)
	if err != nil {
		return 0, nil, nil, err
	}
	value, rest, err = cutBytes(b)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("field %d: %w", tag, err)
	}
	return tag, value, rest, nil
}

func cutBytes(b []byte) (value, rest []byte, err error) {
	n, b, err := cutUvarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("%w: cut short", ErrEncoding)
	}
	return b[:n:n], b[n:], nil
}

func cutUvarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n != uvarintLen(v) {
		return 0, nil, fmt.Errorf("%w: bad integer", ErrEncoding)
	}
	if v > math.MaxInt64 {
		return 0, nil, fmt.Errorf("%w: integer too large", ErrEncoding)
	}
	return v, b[n:], nil
}

func appendUvarint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
