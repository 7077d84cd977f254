package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Version is the format's.
const Version = 1

// Names of chains and hashes that are no keys.
const (
	// Local is the chain of a node's own.
	Local = "local"
	// Genesis stands for the hash before the first entry.
	Genesis = "genesis"
)

// Limits of an entry.
const (
	// MaxEntry is how many bytes an encoded entry may have.
	MaxEntry = 16 << 10
	// maxData is how many texts its data may have.
	maxData = 32
	// maxWord is how long an event, or a name in the data, may be.
	maxWord = 64
)

// ErrEntry reports bytes that are no entry in its one form.
var ErrEntry = errors.New("not an audit entry")

// Hash is an entry's.
type Hash [sha256.Size]byte

// String gives the hash as prev has it: the zero hash stands before the first entry.
func (h Hash) String() string {
	if h == (Hash{}) {
		return Genesis
	}
	return hex.EncodeToString(h[:])
}

// Entry is one entry. See the package comment for its fields.
type Entry struct {
	Actor string            `json:"actor"`
	At    string            `json:"at"`
	Chain string            `json:"chain"`
	Data  map[string]string `json:"data"`
	Event string            `json:"event"`
	I     uint64            `json:"i"`
	Mesh  string            `json:"mesh"`
	Prev  string            `json:"prev"`
	V     int               `json:"v"`
}

// timeForm is that of At.
const timeForm = "2006-01-02T15:04:05.000Z"

// Moment puts a time into the form of At.
func Moment(t time.Time) string { return t.UTC().Format(timeForm) }

// Time is when the entry was written, zero if it does not say so.
func (e Entry) Time() time.Time {
	t, err := time.Parse(timeForm, e.At)
	if err != nil {
		return time.Time{}
	}
	return t
}

// After makes the entry follow one with a number and a hash: both zero before the
// first.
func (e Entry) After(i uint64, h Hash) Entry {
	e.V, e.I, e.Prev = Version, i+1, h.String()
	return e
}

// Encode gives the entry's one form. It fails with ErrEntry if the entry has none.
func (e Entry) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	out := e.encode()
	if len(out) > MaxEntry {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrEntry, len(out), MaxEntry)
	}
	return out, nil
}

func (e Entry) encode() []byte {
	b := text(append([]byte(nil), `{"actor":`...), e.Actor)
	b = text(append(b, `,"at":`...), e.At)
	b = text(append(b, `,"chain":`...), e.Chain)
	b = append(b, `,"data":{`...)
	for n, name := range slices.Sorted(maps.Keys(e.Data)) {
		if n > 0 {
			b = append(b, ',')
		}
		b = text(append(text(b, name), ':'), e.Data[name])
	}
	b = text(append(b, `},"event":`...), e.Event)
	b = strconv.AppendUint(append(b, `,"i":`...), e.I, 10)
	b = text(append(b, `,"mesh":`...), e.Mesh)
	b = text(append(b, `,"prev":`...), e.Prev)
	b = strconv.AppendInt(append(b, `,"v":`...), int64(e.V), 10)
	return append(b, '}')
}

// maxI is the highest number that every reader of JSON takes as it is.
const maxI = 1<<53 - 1

func (e Entry) check() error {
	switch {
	case e.V != Version:
		return fmt.Errorf("%w: version %d", ErrEntry, e.V)
	case e.I == 0 || e.I > maxI:
		return fmt.Errorf("%w: number %d", ErrEntry, e.I)
	case e.Chain != Local && !isKey(e.Chain), e.Actor != "" && !isKey(e.Actor):
		return fmt.Errorf("%w: whose it is", ErrEntry)
	case (e.I == 1) != (e.Prev == Genesis), e.Prev != Genesis && !isKey(e.Prev):
		return fmt.Errorf("%w: what it follows", ErrEntry)
	case !isWord(e.Event) || len(e.Mesh) > maxWord || !utf8.ValidString(e.Mesh):
		return fmt.Errorf("%w: what happened", ErrEntry)
	case e.Time().IsZero() || len(e.At) != len(timeForm):
		return fmt.Errorf("%w: when", ErrEntry)
	case len(e.Data) > maxData:
		return fmt.Errorf("%w: %d texts, at most %d", ErrEntry, len(e.Data), maxData)
	}
	for name, value := range e.Data {
		if !isWord(name) || !utf8.ValidString(value) {
			return fmt.Errorf("%w: the text %q", ErrEntry, name)
		}
	}
	return nil
}

// Parse reads an entry and refuses every form but the one that Encode gives.
func Parse(raw []byte) (Entry, Hash, error) {
	if len(raw) > MaxEntry {
		return Entry{}, Hash{}, fmt.Errorf("%w: %d bytes, at most %d", ErrEntry, len(raw), MaxEntry)
	}
	var e Entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return Entry{}, Hash{}, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	if err := e.check(); err != nil {
		return Entry{}, Hash{}, err
	}
	if !bytes.Equal(e.encode(), raw) {
		return Entry{}, Hash{}, fmt.Errorf("%w: not in canonical form", ErrEntry)
	}
	return e, sha256.Sum256(raw), nil
}

// isKey tells whether s is 64 lower-case hex digits.
func isKey(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isWord tells whether s names an event or a text.
func isWord(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxWord
}

// text appends a text as JSON, escaping what RFC 8785 escapes and nothing else.
func text(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range []byte(s) {
		switch {
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, digits[c>>4], digits[c&15])
		}
	}
	return append(b, '"')
}
