package ident

import (
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
)

// Domain begins every signed text and every derivation info of protocol 1.
const Domain = "claudemesh/1/"

// SealPublicSize is the length in bytes of the public key of Seed.Seal.
const SealPublicSize = 1216

// KDF derives 32 bytes from secret by HKDF-SHA256 with an empty salt. info is
// the part after Domain and may hold any bytes. The secret must not be empty.
func KDF(secret []byte, info string) [32]byte {
	out, err := hkdf.Key(sha256.New, secret, nil, Domain+info, 32)
	if err != nil { // only for lengths no caller can ask for
		panic("ident: " + err.Error())
	}
	return [32]byte(out)
}

// Seed is the secret of one member: all its long-term keys derive from it. It
// prints as "redacted" and has no text form; key files hold its bytes.
type Seed [32]byte

// NewSeed makes a random seed.
func NewSeed() (Seed, error) {
	var s Seed
	if _, err := rand.Read(s[:]); err != nil {
		return Seed{}, fmt.Errorf("make a seed: %w", err)
	}
	return s, nil
}

// Member is the key that is the member's identity.
func (s Seed) Member() PrivateKey { return PrivateKeyFromSeed(KDF(s[:], "key/member")) }

// Blind is the member's pseudonym at relays.
func (s Seed) Blind() PrivateKey { return PrivateKeyFromSeed(KDF(s[:], "key/blind")) }

// Seal is the member's long-term HPKE key (MLKEM768-X25519). It costs about
// 0.1 ms: callers keep it.
func (s Seed) Seal() hpke.PrivateKey {
	b := KDF(s[:], "key/seal")
	k, err := hpke.MLKEM768X25519().NewPrivateKey(b[:])
	if err != nil { // any 32 bytes are a key of this KEM
		panic("ident: " + err.Error())
	}
	return k
}

// SealPublic is the public half of an HPKE key as statements carry it,
// SealPublicSize bytes.
func SealPublic(k hpke.PrivateKey) []byte { return k.PublicKey().Bytes() }

// String hides the seed.
func (s Seed) String() string { return redacted }

// GoString hides the seed.
func (s Seed) GoString() string { return redacted }

// Format hides the seed under every verb.
func (s Seed) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue hides the seed from logs.
func (s Seed) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText fails with ErrSecret.
func (s Seed) MarshalText() ([]byte, error) { return nil, ErrSecret }
