package letter

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// ID names a message among those of its origin: a UUID (RFC 9562).
type ID [16]byte

// NewID makes a version 7 UUID.
func NewID(now time.Time) (ID, error) {
	var id ID
	if _, err := rand.Read(id[6:]); err != nil {
		return ID{}, fmt.Errorf("make a message id: %w", err)
	}
	ms := uint64(max(0, now.UnixMilli()))
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// ParseID reads the 36 characters of a UUID, in either case. The UUID of zeros
// is none. It fails with ErrID.
func ParseID(s string) (ID, error) {
	prefix, err := ParsePrefix(s)
	if err != nil || len(s) != 36 || len(prefix) != 32 {
		return ID{}, ErrID
	}
	b, err := hex.DecodeString(prefix)
	if err != nil || ID(b) == (ID{}) {
		return ID{}, ErrID
	}
	return ID(b), nil
}

// ParsePrefix reads the beginning of a UUID and returns its digits, lower case,
// without the dashes. It fails with ErrID.
func ParsePrefix(s string) (string, error) {
	if len(s) > 36 {
		return "", ErrID
	}
	var digits strings.Builder
	for i, c := range strings.ToLower(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hexDigit := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash != (c == '-') || !dash && !hexDigit {
			return "", ErrID
		}
		if !dash {
			digits.WriteRune(c)
		}
	}
	return digits.String(), nil
}

// IsZero tells whether there is no id.
func (id ID) IsZero() bool { return id == ID{} }

// String is the UUID in its usual form, lower case.
func (id ID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// CauseOf is the cause that a message begins when it answers none.
func CauseOf(origin ident.PublicKey, id ID) [16]byte {
	h := sha256.Sum256(append(append([]byte("cause\x00"), origin[:]...), id[:]...))
	return [16]byte(h[:16])
}
