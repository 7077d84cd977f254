package seal

import (
	"crypto/hpke"
	"crypto/sha256"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Sizes in bytes of the HPKE suite.
const (
	PublicSize  = ident.SealPublicSize
	PrivateSize = 32
	EncSize     = 1120
	TagSize     = 16
	// Overhead is what single-shot sealing adds to the plain text.
	Overhead = EncSize + TagSize
)

// The uses of HPKE, which keep what was sealed for one from opening as another.
const (
	UseLetter  = "letter"
	UseStream  = "stream"
	UseEpoch   = "epoch"
	UseFile    = "file"
	UseClaim   = "claim"
	UseWelcome = "welcome"
)

// Sender is the sealing end of a context. It belongs to one goroutine: Seal
// must be called in the order in which the other side opens.
type Sender = hpke.Sender

// Recipient is the opening end of a context. It belongs to one goroutine.
type Recipient = hpke.Recipient

// Info is the HPKE info of a sealing to one member.
func Info(use string, mesh ident.MeshID, recipient ident.PublicKey, keyID [32]byte) []byte {
	b := make([]byte, 0, len(ident.Domain)+len(use)+1+len(mesh)+len(recipient)+len(keyID))
	b = append(b, ident.Domain...)
	b = append(b, use...)
	b = append(b, 0)
	b = append(b, mesh[:]...)
	b = append(b, recipient[:]...)
	return append(b, keyID[:]...)
}

// KeyID names an HPKE public key: SHA-256 of its bytes.
func KeyID(pub []byte) [32]byte { return sha256.Sum256(pub) }

// NewDeliveryKey makes a random HPKE key.
func NewDeliveryKey() (hpke.PrivateKey, error) {
	k, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make a delivery key: %w", err)
	}
	return k, nil
}

// ParsePublic reads an HPKE public key. It costs about 20 µs: callers that
// seal often keep a Sender. It fails with ErrPublic.
func ParsePublic(pub []byte) (hpke.PublicKey, error) {
	if len(pub) != PublicSize {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrPublic, len(pub), PublicSize)
	}
	k, err := hpke.MLKEM768X25519().NewPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPublic, err)
	}
	return k, nil
}

// ParsePrivate reads an HPKE private key as hpke.PrivateKey.Bytes wrote it,
// PrivateSize bytes, for keys kept on disk.
func ParsePrivate(b []byte) (hpke.PrivateKey, error) {
	if len(b) != PrivateSize {
		return nil, fmt.Errorf("private sealing key of %d bytes instead of %d", len(b), PrivateSize)
	}
	k, err := hpke.MLKEM768X25519().NewPrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("private sealing key: %w", err)
	}
	return k, nil
}

// NewSender opens a sealing context to pub. enc goes to the recipient.
func NewSender(pub, info []byte) (enc []byte, s *Sender, err error) {
	k, err := ParsePublic(pub)
	if err != nil {
		return nil, nil, err
	}
	enc, s, err = hpke.NewSender(k, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPublic, err)
	}
	return enc, s, nil
}

// NewRecipient opens the other end of a context. A wrong key or info shows
// only at the first Open. It fails with ErrOpen.
func NewRecipient(priv hpke.PrivateKey, enc, info []byte) (*Recipient, error) {
	if len(enc) != EncSize {
		return nil, fmt.Errorf("%w: encapsulated key of %d bytes", ErrOpen, len(enc))
	}
	r, err := hpke.NewRecipient(enc, priv, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return r, nil
}

// Seal seals plain to pub in one shot: encapsulated key ‖ ciphertext, Overhead
// bytes longer than plain. aad may be nil. It fails with ErrPublic.
func Seal(pub, info, aad, plain []byte) ([]byte, error) {
	enc, s, err := NewSender(pub, info)
	if err != nil {
		return nil, err
	}
	ct, err := s.Seal(aad, plain)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return append(enc, ct...), nil
}

// Open opens what Seal made. It fails with ErrOpen.
func Open(priv hpke.PrivateKey, info, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, fmt.Errorf("%w: %d bytes", ErrOpen, len(sealed))
	}
	r, err := NewRecipient(priv, sealed[:EncSize], info)
	if err != nil {
		return nil, err
	}
	plain, err := r.Open(aad, sealed[EncSize:])
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
