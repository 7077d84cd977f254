package letter

import (
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// KindCry is the kind of a statement that carries a message letter through the air,
// signed by the sender's member: nobody on the way can change its place in a line.
const KindCry ident.Kind = "cry"

// Cry is a message to many from the air.
type Cry struct {
	Letter  Letter
	Raw     []byte // the letter as it came
	Message Message

	statement ident.Statement
}

// ParseCry reads a cry. It checks form, not signatures: see Verify. It fails with
// ErrMalformed or ErrKind.
func ParseCry(raw []byte) (Cry, error) {
	s, err := ident.ParseStatement(raw, MaxLetter)
	if err != nil {
		return Cry{}, fmt.Errorf("%w: cry: %w", ErrMalformed, err)
	}
	l, _, err := Parse(s.Body)
	if err != nil {
		return Cry{}, err
	}
	if l == nil || len(l.Addresses) != 1 || l.Addresses[0].Index != Everyone {
		return Cry{}, fmt.Errorf("%w: cry: not for everyone", ErrMalformed)
	}
	inner, err := ident.ParseStatement(l.Statement, MaxMessage)
	if err != nil {
		return Cry{}, fmt.Errorf("%w: cry: %w", ErrMalformed, err)
	}
	m, err := DecodeMessage(inner.Body)
	if err != nil {
		return Cry{}, err
	}
	if m.Reach != Mesh || len(m.To) > 0 {
		return Cry{}, fmt.Errorf("%w: cry: not to many alone", ErrMalformed)
	}
	return Cry{Letter: *l, Raw: s.Body, Message: m, statement: s}, nil
}

// Verify checks that the sender's member cried it. The message inside has a
// signature of its own.
func (c Cry) Verify(mesh ident.MeshID) error {
	return c.statement.Verify(KindCry, mesh, c.Message.Origin)
}
