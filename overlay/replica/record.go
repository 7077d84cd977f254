package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits of a record, in bytes.
const (
	// MaxCipher is the longest ciphertext: the value and what sealing adds.
	MaxCipher = 64 << 10
	// MaxHeader is the longest signed body, with fields of later versions.
	MaxHeader = 1 << 10
	// MaxRecord is the longest record: header, signature, ciphertext.
	MaxRecord = MaxHeader + MaxCipher + 128
)

// Slot names what a record is about, without telling: all authors' records of one
// key share it. Slots are made with a secret of the mesh (not here), but for the
// replica's own, which Reserved tells.
type Slot [32]byte

// Log names a sequence of records with one writer.
type Log struct {
	Author ident.PublicKey // the author's blind key
	Inc    uint64          // its incarnation
}

// Compare orders logs by author, then incarnation.
func (l Log) Compare(o Log) int {
	a, b := l.key(), o.key()
	return bytes.Compare(a[:], b[:])
}

// key is the log as tables and frames have it: author ‖ incarnation.
func (l Log) key() (k [logSize]byte) {
	copy(k[:], l.Author[:])
	binary.BigEndian.PutUint64(k[32:], l.Inc)
	return k
}

const logSize = 40

// cutLog is the reverse of key; b has at least logSize bytes.
func cutLog(b []byte) Log {
	return Log{Author: ident.PublicKey(b[:32]), Inc: binary.BigEndian.Uint64(b[32:logSize])}
}

// Sum is a number mod 2^256, big-endian: the sum of record hashes.
type Sum [32]byte

// Header is what the author of a record signs.
type Header struct {
	Log     Log
	N       uint64 // number in the log, from 1
	Slot    Slot
	Clock   Clock
	Epoch   ident.ID // the epoch whose key seals the ciphertext; zero: it is not sealed
	Deleted bool
	Cipher  [32]byte // SHA-256 of the ciphertext
	Digest  Sum      // sum of the hashes of the records live after this one
}

// Record is a header, its signature, and the ciphertext beside it. It is immutable.
type Record struct {
	Header
	hash   Sum
	stmt   ident.Statement
	cipher []byte
	raw    []byte
}

const (
	tagAuthor  = 1
	tagInc     = 2
	tagN       = 3
	tagSlot    = 4
	tagClock   = 5
	tagEpoch   = 6
	tagDeleted = 7
	tagCipher  = 8
	tagDigest  = 9
)

// maxNumber bounds numbers and incarnations, so that one more always exists.
const maxNumber = 1<<63 - 1

// body writes the header; its last 32 bytes are the digest.
func (h Header) body() []byte {
	f := h.bound()
	f.Bytes(tagCipher, h.Cipher[:])
	f.Bytes(tagDigest, h.Digest[:])
	return f.Body()
}

func (h Header) bound() *ident.Fields {
	var f ident.Fields
	f.Bytes(tagAuthor, h.Log.Author[:])
	f.Uint(tagInc, h.Log.Inc)
	f.Uint(tagN, h.N)
	f.Bytes(tagSlot, h.Slot[:])
	f.Uint(tagClock, uint64(h.Clock))
	f.Bytes(tagEpoch, h.Epoch[:])
	if h.Deleted {
		f.Uint(tagDeleted, 1)
	}
	return &f
}

// AAD is what a ciphertext is bound to: all fields of the header but the
// ciphertext's hash and the digest.
func AAD(h Header) []byte { return h.bound().Body() }

// Make signs a record. It fills in Log.Author and Cipher; Digest is the caller's.
// It fails with ErrTooLarge or ErrRecord.
func Make(key ident.PrivateKey, h Header, ciphertext []byte) (Record, error) {
	if len(ciphertext) > MaxCipher {
		return Record{}, fmt.Errorf("%w: ciphertext of %d bytes, at most %d", ErrTooLarge, len(ciphertext), MaxCipher)
	}
	h.Log.Author, h.Cipher = key.Public(), sha256.Sum256(ciphertext)
	if err := h.check(); err != nil {
		return Record{}, err
	}
	body := h.body()
	r := Record{Header: h, hash: hashBody(body, len(body)), cipher: bytes.Clone(ciphertext)}
	r.stmt = ident.Sign(ident.KindRecord, ident.MeshID{}, body, key)
	r.raw = append(r.stmt.Marshal(), ciphertext...)
	return r, nil
}

func (h Header) check() error {
	if h.N == 0 || h.N > maxNumber || h.Log.Inc > maxNumber {
		return fmt.Errorf("%w: number %d in incarnation %d", ErrRecord, h.N, h.Log.Inc)
	}
	return nil
}

// hashBody is a record's hash: SHA-256 of the body with zeros for its digest, which
// are the 32 bytes before end.
func hashBody(body []byte, end int) Sum {
	var zero Sum
	s := sha256.New()
	s.Write(body[:end-len(zero)])
	s.Write(zero[:])
	s.Write(body[end:])
	return Sum(s.Sum(nil))
}

// Parse reads what Raw gives and nothing else: the form of the header, one
// signature, the ciphertext's hash. It fails with ErrTooLarge or ErrRecord. The
// signature is not verified; the record holds a copy of raw.
func Parse(raw []byte) (Record, error) {
	if len(raw) > MaxRecord {
		return Record{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), MaxRecord)
	}
	r, err := parse(bytes.Clone(raw))
	if err != nil {
		return Record{}, err
	}
	if sha256.Sum256(r.cipher) != r.Header.Cipher {
		return Record{}, fmt.Errorf("%w: another ciphertext was signed", ErrRecord)
	}
	return r, nil
}

// parse takes a record apart without checking the ciphertext. It keeps raw.
func parse(raw []byte) (Record, error) {
	n, size := binary.Uvarint(raw)
	if size <= 0 || n > MaxHeader {
		return Record{}, fmt.Errorf("%w: no header", ErrRecord)
	}
	end := size + int(n) + 1 + 64
	if len(raw) < end || len(raw)-end > MaxCipher {
		return Record{}, fmt.Errorf("%w: %d bytes", ErrRecord, len(raw))
	}
	stmt, err := ident.ParseStatement(raw[:end], MaxHeader)
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	h, known, err := parseHeader(stmt.Body)
	if err != nil {
		return Record{}, err
	}
	return Record{Header: h, hash: hashBody(stmt.Body, known), stmt: stmt, cipher: raw[end:], raw: raw}, nil
}

// parseHeader reads a body. The known fields come first, known bytes of them;
// fields of later versions have higher tags.
func parseHeader(body []byte) (h Header, known int, err error) {
	r, err := ident.ReadFields(body, tagAuthor, tagInc, tagN, tagSlot, tagClock, tagEpoch, tagDeleted, tagCipher, tagDigest)
	if err != nil {
		return Header{}, 0, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	r.Need(tagAuthor, tagInc, tagN, tagSlot, tagClock, tagEpoch, tagCipher, tagDigest)
	r.Fixed(tagAuthor, h.Log.Author[:])
	h.Log.Inc, h.N = r.Uint(tagInc), r.Uint(tagN)
	r.Fixed(tagSlot, h.Slot[:])
	h.Clock = Clock(r.Uint(tagClock))
	r.Fixed(tagEpoch, h.Epoch[:])
	h.Deleted = r.Uint(tagDeleted) == 1
	r.Fixed(tagCipher, h.Cipher[:])
	r.Fixed(tagDigest, h.Digest[:])
	if err := r.Err(); err != nil {
		return Header{}, 0, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if err := h.check(); err != nil {
		return Header{}, 0, err
	}
	own := h.body()
	if !bytes.HasPrefix(body, own) {
		return Header{}, 0, fmt.Errorf("%w: not the form of a header", ErrRecord)
	}
	return h, len(own), nil
}

// Verify checks the signature. It fails with ident.ErrSignature or ident.ErrKey.
func (r Record) Verify() error {
	return r.stmt.Verify(ident.KindRecord, ident.MeshID{}, r.Log.Author)
}

// Raw is the record for disk and wire; not to be changed.
func (r Record) Raw() []byte { return r.raw }

// Sealed is the ciphertext; not to be changed.
func (r Record) Sealed() []byte { return r.cipher }

// Hash is SHA-256 of the header with zeros for its digest: what digests sum up and
// keep lists name.
func (r Record) Hash() Sum { return r.hash }

// later tells whether r is the later one of two records of one author and slot:
// by clock, then incarnation, number and hash.
func (r Record) later(o Record) bool {
	if r.Clock != o.Clock {
		return r.Clock > o.Clock
	}
	if r.Log.Inc != o.Log.Inc {
		return r.Log.Inc > o.Log.Inc
	}
	if r.N != o.N {
		return r.N > o.N
	}
	return bytes.Compare(r.hash[:], o.hash[:]) > 0
}
