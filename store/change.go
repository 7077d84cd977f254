package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Change is one entry of the feed. Append reads Topic, To and Data; the store
// sets Seq and At.
type Change struct {
	Seq   uint64    // position in the feed, from 1, without gaps
	At    time.Time // of the commit, to the millisecond
	Topic string    // what kind of change
	To    string    // a session's address if it is for that session alone, else ""
	Data  []byte
}

var errChange = errors.New("store: feed entry cannot be read")

// encode writes: uvarint Unix milliseconds, then topic and address each with
// a uvarint length before it, then the data to the end.
func (c Change) encode() []byte {
	b := make([]byte, 0, 3*binary.MaxVarintLen64+len(c.Topic)+len(c.To)+len(c.Data))
	b = binary.AppendUvarint(b, uint64(max(0, c.At.UnixMilli())))
	b = binary.AppendUvarint(b, uint64(len(c.Topic)))
	b = append(b, c.Topic...)
	b = binary.AppendUvarint(b, uint64(len(c.To)))
	b = append(b, c.To...)
	return append(b, c.Data...)
}

// decodeChange reads what encode wrote. Data is a part of b, not a copy.
func decodeChange(seq uint64, b []byte) (Change, error) {
	ms, n := binary.Uvarint(b)
	if n <= 0 || ms > math.MaxInt64 {
		return Change{}, fmt.Errorf("%w: %d: time", errChange, seq)
	}
	topic, b, ok := cutString(b[n:])
	if !ok {
		return Change{}, fmt.Errorf("%w: %d: topic", errChange, seq)
	}
	to, b, ok := cutString(b)
	if !ok {
		return Change{}, fmt.Errorf("%w: %d: address", errChange, seq)
	}
	return Change{Seq: seq, At: time.UnixMilli(int64(ms)), Topic: topic, To: to, Data: b}, nil
}

// cutString takes a string with a length before it off the front of b.
func cutString(b []byte) (s string, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, false
	}
	b = b[n:]
	return string(b[:size]), b[size:], true
}
