package ident

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"

	"filippo.io/edwards25519"
)

// redacted is what every secret prints as.
const redacted = "redacted"

// PublicKey is an Ed25519 public key. ParsePublicKey checks that it is
// canonical and not of small order; Statement.Verify checks it again, so a
// PublicKey made by conversion cannot weaken a signature.
type PublicKey [32]byte

// ParsePublicKey reads the 32 bytes of a public key. It fails with ErrKey.
func ParsePublicKey(b []byte) (PublicKey, error) {
	var k PublicKey
	if len(b) != len(k) {
		return PublicKey{}, fmt.Errorf("%w: %d bytes instead of %d", ErrKey, len(b), len(k))
	}
	copy(k[:], b)
	if err := k.Check(); err != nil {
		return PublicKey{}, err
	}
	return k, nil
}

// ParsePublicKeyHex reads a public key of 64 lower-case hex digits. It fails
// with ErrKey.
func ParsePublicKeyHex(s string) (PublicKey, error) {
	b, err := unhex(s, 32)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return ParsePublicKey(b)
}

// Check reports, with ErrKey, a key that is not canonical, of small order or no
// point of the curve.
func (k PublicKey) Check() error {
	if err := k.weak(); err != nil {
		return err
	}
	if _, err := new(edwards25519.Point).SetBytes(k[:]); err != nil {
		return fmt.Errorf("%w: not on the curve", ErrKey)
	}
	return nil
}

// weak reports, with ErrKey, an encoding that is not canonical or of small order.
// It does not tell whether there is such a point, which verifying does.
//
// An encoding is the y coordinate below p, and the sign of x as the highest bit. It
// is not canonical if y is not below p, or if the sign is set though x is 0, which
// it is for y = ±1. The points of small order are those with five values of y.
func (k PublicKey) weak() error {
	y := k
	y[31] &= 0x7f
	if y[0] >= 0xed && y[31] == 0x7f && bytes.Count(y[1:31], []byte{0xff}) == 30 {
		return fmt.Errorf("%w: not canonical", ErrKey)
	}
	for _, small := range smallOrder {
		if y == small {
			return fmt.Errorf("%w: of small order", ErrKey)
		}
	}
	return nil
}

// smallOrder are the y coordinates, little-endian, of the points whose order
// divides the cofactor, 8.
var smallOrder = [...]PublicKey{
	{},     // order 4
	{0: 1}, // the identity
	{ // -1, order 2
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{ // order 8
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{ // its negative
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
}

// IsZero tells whether k was never set.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

// Compare orders keys by their bytes.
func (k PublicKey) Compare(o PublicKey) int { return bytes.Compare(k[:], o[:]) }

// String is the key in 64 lower-case hex digits.
func (k PublicKey) String() string { return hex.EncodeToString(k[:]) }

// MarshalText writes what String returns.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes, with the checks of ParsePublicKey.
func (k *PublicKey) UnmarshalText(text []byte) error {
	parsed, err := ParsePublicKeyHex(string(text))
	if err != nil {
		return err
	}
	*k = parsed
	return nil
}

// PrivateKey is an Ed25519 private key. It prints as "redacted" under every
// verb. The zero value holds no key and must not sign.
type PrivateKey struct {
	key ed25519.PrivateKey
}

// NewPrivateKey makes a random key.
func NewPrivateKey() (PrivateKey, error) {
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("make a key: %w", err)
	}
	return PrivateKeyFromSeed(seed), nil
}

// PrivateKeyFromSeed makes the key of an RFC 8032 seed.
func PrivateKeyFromSeed(seed [32]byte) PrivateKey {
	return PrivateKey{key: ed25519.NewKeyFromSeed(seed[:])}
}

// IsZero tells whether k holds no key.
func (k PrivateKey) IsZero() bool { return k.key == nil }

// Seed is the RFC 8032 seed, for key files only.
func (k PrivateKey) Seed() [32]byte { return [32]byte(k.key.Seed()) }

// Public is the public half.
func (k PrivateKey) Public() PublicKey { return PublicKey(k.key[32:]) }

// Sign signs text as it is. Statements are signed by the function Sign, which
// adds the domain separation.
func (k PrivateKey) Sign(text []byte) [64]byte { return [64]byte(ed25519.Sign(k.key, text)) }

// String hides the key.
func (k PrivateKey) String() string { return redacted }

// GoString hides the key.
func (k PrivateKey) GoString() string { return redacted }

// Format hides the key under every verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue hides the key from logs.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText fails with ErrSecret.
func (k PrivateKey) MarshalText() ([]byte, error) { return nil, ErrSecret }

// unhex decodes exactly n bytes of lower-case hex.
func unhex(s string, n int) ([]byte, error) {
	if len(s) != 2*n {
		return nil, fmt.Errorf("%d characters instead of %d", len(s), 2*n)
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, err
	}
	if hex.EncodeToString(b) != s {
		return nil, fmt.Errorf("hex digits must be lower-case")
	}
	return b, nil
}
