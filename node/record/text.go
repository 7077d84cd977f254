package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Tags of a record's plain text; doc.go has the layout.
const (
	tagKind  = 2
	tagKey   = 4
	tagValue = 6
)

// text is what a record says once it is opened.
type text struct {
	kind, key string
	value     []byte // nil in a deletion
}

// encode writes the plain text. deleted leaves the value out.
func (t text) encode(deleted bool) []byte {
	var f ident.Fields
	f.Text(tagKind, t.kind)
	f.Text(tagKey, t.key)
	if !deleted {
		f.Bytes(tagValue, t.value)
	}
	return f.Body()
}

// decodeText reads what encode writes. It fails with ErrText.
func decodeText(plain []byte, deleted bool) (text, error) {
	r, err := ident.ReadFields(plain, tagKind, tagKey, tagValue)
	if err != nil {
		return text{}, fmt.Errorf("%w: %w", ErrText, err)
	}
	r.Need(tagKind, tagKey)
	t := text{kind: r.Text(tagKind, MaxKind), key: r.Text(tagKey, MaxKey), value: r.Bytes(tagValue, len(plain))}
	switch {
	case r.Err() != nil:
		return text{}, fmt.Errorf("%w: %w", ErrText, r.Err())
	case deleted != !r.Has(tagValue):
		return text{}, fmt.Errorf("%w: a value in a deletion, or none", ErrText)
	case t.kind == "" || t.key == "" || strings.IndexByte(t.kind, 0) >= 0: // slotOf could not tell such a kind from its key
		return text{}, fmt.Errorf("%w: a kind or key that cannot be", ErrText)
	}
	return t, nil
}

// slotOf is the slot of a key: what relays and nodes without the key see of it.
func slotOf(secret [32]byte, kind, key string) [32]byte {
	h := hmac.New(sha256.New, secret[:])
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return [32]byte(h.Sum(nil))
}
