package letter

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// KindCry is the kind of a statement that carries a message letter through the air,
// signed by the sender's member: nobody on the way can change whom it is for, nor its
// place among others.
const KindCry ident.Kind = "cry"

// Limits of a cry.
const (
	// MaxMembers is how many members a cry can be for.
	MaxMembers = 4096
	// MaxBefore is how many messages it may name that come before it.
	MaxBefore = 8

	shortKey  = 8
	maxBefore = MaxTargetBytes + 3*MaxTargets + 32
	maxCry    = MaxLetter + shortKey*MaxMembers + MaxBefore*(maxBefore+3) + 64
)

// Cry is a message to many on its way through the air.
type Cry struct {
	Letter  []byte            // with the one address Everyone
	Members []ident.PublicKey // whose homes it is for; only written
	Before  []Before          // newest first
	// Near says that its sender gave it to all these homes itself: nobody needs to pass
	// it on.
	Near bool
}

// Before is a message to many that a later one is not to be shown before, where both
// are meant.
type Before struct {
	Ord     uint64
	Targets []string
}

// Encode writes the statement body.
func (c Cry) Encode() []byte {
	short := make([][]byte, len(c.Members))
	for i, k := range c.Members {
		short[i] = k[:shortKey]
	}
	slices.SortFunc(short, bytes.Compare)
	var f ident.Fields
	f.Bytes(1, c.Letter)
	f.Bytes(2, bytes.Join(short, nil))
	if len(c.Before) > 0 {
		f.List(3, packBefore(c.Before))
	}
	if c.Near {
		f.Uint(5, 1)
	}
	return f.Body()
}

// Heard is a cry as it came.
type Heard struct {
	Letter  Letter
	Message Message
	Before  []Before
	Near    bool

	members   []byte
	statement ident.Statement
}

// For tells whether it is for a member's home.
func (h Heard) For(member ident.PublicKey) bool {
	i := sort.Search(len(h.members)/shortKey, func(i int) bool {
		return bytes.Compare(h.members[i*shortKey:(i+1)*shortKey], member[:shortKey]) >= 0
	}) * shortKey
	return i < len(h.members) && bytes.Equal(h.members[i:i+shortKey], member[:shortKey])
}

// ParseCry reads a cry statement. It checks form, not signatures: see Verify. It
// fails with ErrMalformed or ErrKind.
func ParseCry(raw []byte) (Heard, error) {
	s, err := ident.ParseStatement(raw, maxCry)
	if err != nil {
		return Heard{}, fmt.Errorf("%w: cry: %w", ErrMalformed, err)
	}
	h := Heard{statement: s}
	var packed []byte
	if packed, err = h.parse(s.Body); err != nil {
		return Heard{}, fmt.Errorf("%w: cry: %w", ErrMalformed, err)
	}
	l, _, err := Parse(packed)
	if err != nil {
		return Heard{}, err
	}
	if l == nil || len(l.Addresses) != 1 || l.Addresses[0].Index != Everyone {
		return Heard{}, fmt.Errorf("%w: cry: not for everyone", ErrMalformed)
	}
	inner, err := ident.ParseStatement(l.Statement, MaxMessage)
	if err != nil {
		return Heard{}, fmt.Errorf("%w: cry: %w", ErrMalformed, err)
	}
	if h.Message, err = DecodeMessage(inner.Body); err != nil {
		return Heard{}, err
	}
	if h.Message.Reach != Mesh || len(h.Message.To) > 0 {
		return Heard{}, fmt.Errorf("%w: cry: not to many alone", ErrMalformed)
	}
	if len(h.Before) > 0 && h.Before[0].Ord >= l.Ord {
		return Heard{}, fmt.Errorf("%w: cry: before itself", ErrMalformed)
	}
	h.Letter = *l
	return h, nil
}

// parse reads the fields of the body and returns the letter.
func (h *Heard) parse(body []byte) ([]byte, error) {
	r, err := ident.ReadFields(body, 1, 2, 3, 5)
	if err != nil {
		return nil, err
	}
	r.Need(1, 2)
	packed := r.Bytes(1, MaxLetter)
	h.members = r.Bytes(2, shortKey*MaxMembers)
	before := r.List(3, MaxBefore, maxBefore)
	h.Near = r.Uint(5) == 1
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(h.members) == 0 || len(h.members)%shortKey != 0 {
		return nil, fmt.Errorf("%d bytes are no list of members", len(h.members))
	}
	for i := shortKey; i < len(h.members); i += shortKey {
		if bytes.Compare(h.members[i-shortKey:i], h.members[i:i+shortKey]) >= 0 {
			return nil, fmt.Errorf("members out of order")
		}
	}
	h.Before, err = parseBefore(before)
	return packed, err
}

// Verify checks that the sender's member cried it. The message inside has a
// signature of its own.
func (h Heard) Verify(mesh ident.MeshID) error {
	return h.statement.Verify(KindCry, mesh, h.Message.Origin)
}

func packBefore(list []Before) [][]byte {
	out := make([][]byte, len(list))
	for i, b := range list {
		var f ident.Fields
		f.Uint(1, b.Ord)
		f.List(2, asBytes(b.Targets))
		out[i] = f.Body()
	}
	return out
}

// parseBefore reads what packBefore wrote: descending.
func parseBefore(list [][]byte) ([]Before, error) {
	var out []Before
	below := uint64(1<<64 - 1)
	for _, raw := range list {
		r, err := ident.ReadFields(raw, 1, 2)
		if err != nil {
			return nil, err
		}
		r.Need(1, 2)
		b := Before{Ord: r.Uint(1)}
		targets := r.List(2, MaxTargets, MaxTarget)
		if err := r.Err(); err != nil {
			return nil, err
		}
		if b.Targets, err = asTexts(targets); err != nil {
			return nil, err
		}
		if b.Ord == 0 || b.Ord >= below || len(b.Targets) == 0 {
			return nil, fmt.Errorf("before out of range")
		}
		below = b.Ord
		out = append(out, b)
	}
	return out, nil
}
