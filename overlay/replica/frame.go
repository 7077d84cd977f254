package replica

import (
	"encoding/binary"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Types of frames, their first byte.
const (
	frameSum     = 1
	frameVector  = 2
	frameWant    = 3
	frameList    = 4
	framePick    = 5
	frameOld     = 6
	frameRecords = 7
	frameEntries = 8
	frameEnd     = 9
	frameTurn    = 10
)

// Limits of the exchange.
const (
	maxAsk     = 64 << 10  // bytes of a frame but records
	fillFrame  = 256 << 10 // bytes of records after which a frame is closed
	maxAnswer  = fillFrame + MaxRecord + 16
	maxLogs    = 1 << 16        // logs in a vector
	maxEntries = MaxLive + 1024 // entries in a list
	maxPick    = 4096           // numbers in a pick
	maxSkipped = 64             // unknown frames in an exchange

	vectorSize = logSize + 8 + 8
	entrySize  = 8 + 32
	vectorFill = maxAsk / vectorSize
	entryFill  = maxAsk / entrySize
)

// greeting is a sum frame.
type greeting struct {
	hash   [32]byte        // of the vector
	clock  uint64          // Unix ms of mesh time
	author ident.PublicKey // the sender's blind key, or zeros
	old    Sum             // of the evidence of the other side's author; in answers
}

const (
	tagHash     = 2
	tagNow      = 3
	tagSelf     = 5
	tagEvidence = 7
)

func (g greeting) encode() []byte {
	var f ident.Fields
	f.Bytes(tagHash, g.hash[:])
	f.Uint(tagNow, g.clock)
	f.Bytes(tagSelf, g.author[:])
	f.Bytes(tagEvidence, g.old[:])
	return append([]byte{frameSum}, f.Body()...)
}

func decodeGreeting(b []byte) (g greeting, err error) {
	r, err := ident.ReadFields(b, tagHash, tagNow, tagSelf, tagEvidence)
	if err != nil {
		return g, fmt.Errorf("%w: sum: %w", ErrProtocol, err)
	}
	r.Need(tagHash)
	r.Fixed(tagHash, g.hash[:])
	g.clock = r.Uint(tagNow)
	r.Fixed(tagSelf, g.author[:])
	r.Fixed(tagEvidence, g.old[:])
	if err := r.Err(); err != nil {
		return g, fmt.Errorf("%w: sum: %w", ErrProtocol, err)
	}
	return g, nil
}

// claim is an entry of a vector.
type claim struct {
	log Log
	m   uint64
	sum [8]byte // the first 8 bytes of the sum
}

func (c claim) append(b []byte) []byte {
	k := c.log.key()
	b = append(b, k[:]...)
	b = binary.BigEndian.AppendUint64(b, c.m)
	return append(b, c.sum[:]...)
}

// decodeClaims reads a vector frame; last is the log before, and logs ascend.
func decodeClaims(b []byte, last *Log) ([]claim, error) {
	if len(b) == 0 || len(b)%vectorSize != 0 {
		return nil, fmt.Errorf("%w: a vector of %d bytes", ErrProtocol, len(b))
	}
	out := make([]claim, 0, len(b)/vectorSize)
	for ; len(b) > 0; b = b[vectorSize:] {
		c := claim{log: cutLog(b), m: cutNumber(b[logSize:]), sum: [8]byte(b[logSize+8 : vectorSize])}
		if last.Compare(c.log) >= 0 || c.m == 0 || c.m > maxNumber {
			return nil, fmt.Errorf("%w: a vector that cannot be", ErrProtocol)
		}
		*last = c.log
		out = append(out, c)
	}
	return out, nil
}

// want asks for up to most records of a log above m.
type want struct {
	log     Log
	m, most uint64
}

func (w want) frame() []byte {
	k := w.log.key()
	b := binary.BigEndian.AppendUint64(append([]byte{frameWant}, k[:]...), w.m)
	return binary.BigEndian.AppendUint64(b, w.most)
}

func decodeWant(b []byte) (want, error) {
	if len(b) != logSize+16 {
		return want{}, fmt.Errorf("%w: a want of %d bytes", ErrProtocol, len(b))
	}
	w := want{log: cutLog(b), m: cutNumber(b[logSize:]), most: cutNumber(b[logSize+8:])}
	if w.m > maxNumber {
		return want{}, fmt.Errorf("%w: a want of what cannot be", ErrProtocol)
	}
	return w, nil
}

func listFrame(l Log) []byte {
	k := l.key()
	return append([]byte{frameList}, k[:]...)
}

func decodeList(b []byte) (Log, error) {
	if len(b) != logSize {
		return Log{}, fmt.Errorf("%w: a list of %d bytes", ErrProtocol, len(b))
	}
	return cutLog(b), nil
}

// pickFrame asks for records by ascending numbers.
func pickFrame(l Log, numbers []uint64) []byte {
	k := l.key()
	b := append([]byte{framePick}, k[:]...)
	last := uint64(0)
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n-last)
		last = n
	}
	return b
}

func decodePick(b []byte) (l Log, numbers []uint64, err error) {
	bad := fmt.Errorf("%w: a pick that cannot be", ErrProtocol)
	if len(b) < logSize {
		return l, nil, bad
	}
	l, b = cutLog(b), b[logSize:]
	for last := uint64(0); len(b) > 0; {
		step, size := uvarint(b)
		if size == 0 || step == 0 || step > maxNumber-last || len(numbers) >= maxPick {
			return l, nil, bad
		}
		last += step
		numbers, b = append(numbers, last), b[size:]
	}
	return l, numbers, nil
}

// uvarint reads a number in its shortest form; size is 0 if there is none.
func uvarint(b []byte) (n uint64, size int) {
	n, size = binary.Uvarint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 {
		return 0, 0
	}
	return n, size
}

func appendRecord(b []byte, raw []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(raw)))
	return append(b, raw...)
}

// decodeRecords reads a records frame. Signatures are not verified.
func decodeRecords(b []byte) (out []Record, err error) {
	for len(b) > 0 {
		n, size := uvarint(b)
		if size == 0 || n > MaxRecord || n > uint64(len(b)-size) {
			return nil, fmt.Errorf("%w: records cut short", ErrProtocol)
		}
		r, err := Parse(b[size : size+int(n)])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		out, b = append(out, r), b[size+int(n):]
	}
	return out, nil
}

// entry is a record in a list.
type entry struct {
	n    uint64
	hash Sum
}

func (e entry) append(b []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, e.n), e.hash[:]...)
}

// decodeEntries reads an entries frame; last is the number before, and they ascend.
func decodeEntries(b []byte, last *uint64) ([]entry, error) {
	if len(b) == 0 || len(b)%entrySize != 0 {
		return nil, fmt.Errorf("%w: entries of %d bytes", ErrProtocol, len(b))
	}
	out := make([]entry, 0, len(b)/entrySize)
	for ; len(b) > 0; b = b[entrySize:] {
		e := entry{n: cutNumber(b), hash: Sum(b[8:entrySize])}
		if e.n <= *last || e.n > maxNumber {
			return nil, fmt.Errorf("%w: a list that cannot be", ErrProtocol)
		}
		*last = e.n
		out = append(out, e)
	}
	return out, nil
}

func turnFrame(changed bool) []byte {
	if changed {
		return []byte{frameTurn, 1}
	}
	return []byte{frameTurn, 0}
}
