package replica

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// The tables. Numbers are 8 bytes, big-endian; log is author ‖ incarnation.
const (
	tableLog  = "log"  // log → m ‖ sum ‖ count
	tableRec  = "rec"  // log ‖ n → raw record, live
	tableSlot = "slot" // slot ‖ log → n of the live record
	tableOld  = "old"  // log ‖ n ‖ hash → Unix ms ‖ raw record, evidence
	tableMeta = "meta" // see below
)

// Keys of tableMeta: what they begin with.
const (
	metaInc   = "inc"   // → incarnation of the own log
	metaFork  = "fork"  // → incarnation of the own log in which others hold what was not written here
	metaFloor = "floor" // ‖ author → incarnations below are replaced
	metaTrim  = "trim"  // ‖ log ‖ n → hash ‖ Unix ms: an own record that was trimmed
	metaSeen  = "seen"  // ‖ sum of evidence offered and taken over → Unix ms
	metaOld   = "old"   // ‖ author → how many records of evidence there are
)

// state is what is known of a log: the highest number held, up to which the replica
// claims to hold all that is live, and the sum and count of what it holds.
type state struct {
	m     uint64
	sum   Sum
	count uint64
}

const stateSize = 8 + 32 + 8

func (s state) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, stateSize), s.m)
	b = append(b, s.sum[:]...)
	return binary.BigEndian.AppendUint64(b, s.count)
}

func decodeState(b []byte) (state, error) {
	if len(b) != stateSize {
		return state{}, fmt.Errorf("%w: a log's state of %d bytes", ErrTables, len(b))
	}
	return state{m: binary.BigEndian.Uint64(b), sum: Sum(b[8:40]), count: binary.BigEndian.Uint64(b[40:])}, nil
}

func readState(tx Tx, l Log) (state, error) {
	k := l.key()
	b := tx.Get(tableLog, k[:])
	if b == nil {
		return state{}, nil
	}
	return decodeState(b)
}

// recordAt reads a live record. The record holds a copy.
func recordAt(tx Tx, l Log, n uint64) (Record, bool, error) {
	raw := tx.Get(tableRec, recKey(l, n))
	if raw == nil {
		return Record{}, false, nil
	}
	r, err := stored(raw)
	return r, err == nil, err
}

// stored reads a record from a table, without checking what was checked when it came.
func stored(raw []byte) (Record, error) {
	r, err := parse(bytes.Clone(raw))
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrTables, err)
	}
	return r, nil
}

// numberAt is the number of a log's live record in a slot, 0 if there is none.
func numberAt(tx Tx, s Slot, l Log) uint64 { return readNumber(tx, tableSlot, slotKey(s, l)) }

func readNumber(tx Tx, table string, key []byte) uint64 {
	b := tx.Get(table, key)
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func recKey(l Log, n uint64) []byte {
	k := l.key()
	return binary.BigEndian.AppendUint64(k[:], n)
}

func slotKey(s Slot, l Log) []byte {
	k := l.key()
	return append(append(make([]byte, 0, 32+logSize), s[:]...), k[:]...)
}

func oldKey(l Log, n uint64, hash Sum) []byte { return append(recKey(l, n), hash[:]...) }

func metaKey(kind string, rest []byte) []byte { return append([]byte(kind), rest...) }

func floorOf(tx Tx, author ident.PublicKey) uint64 {
	return readNumber(tx, tableMeta, metaKey(metaFloor, author[:]))
}

// eachPrefix calls fn for the keys that begin with prefix, from that key on which
// is prefix ‖ after, until it returns false.
func eachPrefix(tx Tx, table string, prefix, after []byte, fn func(k, v []byte) bool) {
	from := append(bytes.Clone(prefix), after...)
	tx.Ascend(table, from, func(k, v []byte) bool { return bytes.HasPrefix(k, prefix) && fn(k, v) })
}

// eachRecord reads the live records of a log from number from on.
func eachRecord(tx Tx, l Log, from uint64, fn func(Record) bool) (err error) {
	k := l.key()
	eachPrefix(tx, tableRec, k[:], number(from), func(_, raw []byte) bool {
		var r Record
		r, err = stored(raw)
		return err == nil && fn(r)
	})
	return err
}

// eachLog reads the states of an author's logs, or of all logs.
func eachLog(tx Tx, author []byte, fn func(Log, state) bool) (err error) {
	eachPrefix(tx, tableLog, author, nil, func(k, v []byte) bool {
		var s state
		if s, err = decodeState(v); err != nil || len(k) != logSize {
			err = fmt.Errorf("%w: table of logs: %w", ErrTables, err)
			return false
		}
		return fn(cutLog(k), s)
	})
	return err
}

func millis(t time.Time) []byte { return number(uint64(max(t.UnixMilli(), 0))) }

// IsZero tells whether s is 0.
func (s Sum) IsZero() bool { return s == Sum{} }

// plus and minus reckon mod 2^256.
func (s Sum) plus(o Sum) (out Sum) {
	carry := uint16(0)
	for i := len(s) - 1; i >= 0; i-- {
		carry += uint16(s[i]) + uint16(o[i])
		out[i] = byte(carry)
		carry >>= 8
	}
	return out
}

func (s Sum) minus(o Sum) (out Sum) {
	borrow := int16(0)
	for i := len(s) - 1; i >= 0; i-- {
		borrow += int16(s[i]) - int16(o[i])
		out[i] = byte(borrow)
		borrow >>= 8
	}
	return out
}
