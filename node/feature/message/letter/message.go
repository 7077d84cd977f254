package letter

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits of a message.
const (
	MaxBody    = 64 << 10
	MaxTo      = 256
	MaxTarget  = 256 // bytes of one
	MaxTargets = 16
	// MaxTargetBytes is how long all targets may be together.
	MaxTargetBytes = 1 << 10
	MaxSubtype     = 32
	MaxFiles       = 16
	MaxFile        = 64
	MaxTTL         = 30 * 24 * time.Hour
	// MaxMessage is the largest message statement body.
	MaxMessage = MaxBody + MaxTo*32 + MaxFiles*(MaxFile+2) + MaxTargetBytes + MaxTargets*3 + 1<<10
)

// Reach says whom a message is for.
type Reach uint64

// The reaches.
const (
	Direct Reach = 1 // the addresses in To
	Mesh   Reach = 2 // whoever Targets match, in every member's home, and To
)

// Message is what a session signs.
type Message struct {
	ID       ID
	Origin   ident.PublicKey // the sender's member
	Session  ident.PublicKey // the signer
	Reach    Reach
	To       []ident.PublicKey
	Targets  []string
	Priority delivery.Priority
	Body     string
	Subtype  string
	Files    [][]byte
	ReplyTo  ID // zero: none
	Thread   ID // zero: this is the first
	Cause    [16]byte
	Depth    uint64
	Created  time.Time // to the millisecond
	TTL      time.Duration
}

// Encode writes the statement body. The message must be one that Decode accepts.
func (m Message) Encode() []byte {
	var f ident.Fields
	f.Bytes(1, m.ID[:])
	f.Bytes(2, m.Origin[:])
	f.Bytes(3, m.Session[:])
	f.Uint(4, uint64(m.Reach))
	if len(m.To) > 0 {
		f.Bytes(5, joinKeys(m.To))
	}
	if len(m.Targets) > 0 {
		f.List(6, asBytes(m.Targets))
	}
	f.Uint(7, uint64(m.Priority))
	f.Text(8, m.Body)
	if m.Subtype != "" {
		f.Text(9, m.Subtype)
	}
	if len(m.Files) > 0 {
		f.List(10, m.Files)
	}
	if !m.ReplyTo.IsZero() {
		f.Bytes(11, m.ReplyTo[:])
	}
	if !m.Thread.IsZero() {
		f.Bytes(13, m.Thread[:])
	}
	f.Bytes(14, m.Cause[:])
	f.Uint(15, m.Depth)
	f.Uint(16, uint64(m.Created.UnixMilli()))
	f.Uint(17, uint64(m.TTL.Milliseconds()))
	return f.Body()
}

// DecodeMessage reads a statement body. Keys are not checked to be points of the
// curve: verifying the signature does that for the signer. It fails with
// ErrMalformed.
func DecodeMessage(body []byte) (Message, error) {
	if len(body) > MaxMessage {
		return Message{}, fmt.Errorf("%w: message of %d bytes, at most %d", ErrMalformed, len(body), MaxMessage)
	}
	r, err := ident.ReadFields(body, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17)
	if err != nil {
		return Message{}, fmt.Errorf("%w: message: %w", ErrMalformed, err)
	}
	var m Message
	r.Need(1, 2, 3, 4, 7, 8, 14, 15, 16, 17)
	r.Fixed(1, m.ID[:])
	r.Fixed(2, m.Origin[:])
	r.Fixed(3, m.Session[:])
	m.Reach = Reach(r.Uint(4))
	to := r.Bytes(5, MaxTo*32)
	targets := r.List(6, MaxTargets, MaxTarget)
	priority := r.Uint(7)
	m.Body = r.Text(8, MaxBody)
	m.Subtype = r.Text(9, MaxSubtype)
	m.Files = r.List(10, MaxFiles, MaxFile)
	r.Fixed(11, m.ReplyTo[:])
	r.Fixed(13, m.Thread[:])
	r.Fixed(14, m.Cause[:])
	m.Depth = r.Uint(15)
	created, ttl := r.Uint(16), r.Uint(17)
	if err := r.Err(); err != nil {
		return Message{}, fmt.Errorf("%w: message: %w", ErrMalformed, err)
	}
	if priority > uint64(delivery.Low) || created > 1<<48 || ttl > uint64(MaxTTL.Milliseconds()) {
		return Message{}, fmt.Errorf("%w: message: number out of range", ErrMalformed)
	}
	m.Priority = delivery.Priority(priority)
	m.Created = time.UnixMilli(int64(created))
	m.TTL = time.Duration(ttl) * time.Millisecond
	if m.To, err = cutKeys(to); err != nil {
		return Message{}, fmt.Errorf("%w: message: to: %w", ErrMalformed, err)
	}
	if m.Targets, err = asTexts(targets); err != nil {
		return Message{}, fmt.Errorf("%w: message: targets: %w", ErrMalformed, err)
	}
	if err := m.check(r); err != nil {
		return Message{}, fmt.Errorf("%w: message: %w", ErrMalformed, err)
	}
	return m, nil
}

// check refuses what Encode would not write.
func (m Message) check(r *ident.Reader) error {
	switch {
	case m.ID.IsZero():
		return fmt.Errorf("no id")
	case !m.Priority.Valid():
		return fmt.Errorf("unknown priority")
	case m.TTL == 0:
		return fmt.Errorf("no time to live")
	case m.Reach == Direct && (len(m.To) == 0 || r.Has(6)), m.Reach == Mesh && (len(m.Targets) == 0 || r.Has(5) && len(m.To) == 0):
		return fmt.Errorf("reach and addresses do not fit")
	case m.Reach != Direct && m.Reach != Mesh:
		return fmt.Errorf("unknown reach %d", m.Reach)
	case r.Has(9) && m.Subtype == "", r.Has(10) && len(m.Files) == 0,
		r.Has(11) && m.ReplyTo.IsZero(), r.Has(13) && m.Thread.IsZero():
		return fmt.Errorf("empty field")
	}
	seen := make(map[ident.PublicKey]bool, len(m.To))
	for _, k := range m.To {
		if seen[k] {
			return fmt.Errorf("an address twice")
		}
		seen[k] = true
	}
	return nil
}

func asBytes(texts []string) [][]byte {
	out := make([][]byte, len(texts))
	for i, t := range texts {
		out[i] = []byte(t)
	}
	return out
}

// asTexts reads targets: each once, none empty, all together within their limit.
func asTexts(list [][]byte) ([]string, error) {
	var out []string
	size := 0
	seen := make(map[string]bool, len(list))
	for _, b := range list {
		t := string(b)
		size += len(b)
		if t == "" || !utf8.ValidString(t) || seen[t] || size > MaxTargetBytes {
			return nil, fmt.Errorf("empty, twice, too long or not UTF-8")
		}
		seen[t] = true
		out = append(out, t)
	}
	return out, nil
}

func joinKeys(keys []ident.PublicKey) []byte {
	b := make([]byte, 0, len(keys)*32)
	for _, k := range keys {
		b = append(b, k[:]...)
	}
	return b
}

func cutKeys(b []byte) ([]ident.PublicKey, error) {
	if len(b)%32 != 0 {
		return nil, fmt.Errorf("%d bytes are no list of keys", len(b))
	}
	keys := make([]ident.PublicKey, len(b)/32)
	for i := range keys {
		copy(keys[i][:], b[i*32:])
	}
	return keys, nil
}
