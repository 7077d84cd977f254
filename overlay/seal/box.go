package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// The uses of epoch sealing.
const (
	UseMsg    = "msg"
	UseRecord = "record"
	UseGossip = "gossip"
)

// EpochVersion is the version of the epoch-sealed layout in doc.go.
const EpochVersion = 1

const (
	nonceSize  = chacha20poly1305.NonceSizeX
	headerSize = 1 + 32 + nonceSize
	// EpochOverhead is what EpochSeal adds to the plain text.
	EpochOverhead = headerSize + TagSize
	// BoxOverhead is what BoxSeal adds to the plain text.
	BoxOverhead = nonceSize + TagSize
)

// NewKey makes a random symmetric key, such as an epoch's.
func NewKey() ([32]byte, error) {
	var k [32]byte
	if _, err := rand.Read(k[:]); err != nil {
		return k, fmt.Errorf("make a key: %w", err)
	}
	return k, nil
}

// EpochSeal seals plain for all who know the effective key of an epoch.
func EpochSeal(effective [32]byte, epoch ident.ID, use string, mesh ident.MeshID, plain []byte) ([]byte, error) {
	b := make([]byte, headerSize, EpochOverhead+len(plain))
	b[0] = EpochVersion
	copy(b[1:], epoch[:])
	if _, err := rand.Read(b[33:]); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return epochAEAD(effective, use, mesh).Seal(b, b[33:headerSize], plain, b[:headerSize]), nil
}

// EpochOf tells under which epoch sealed was made, so that the caller can find
// the key. It fails with ErrVersion or ErrOpen.
func EpochOf(sealed []byte) (ident.ID, error) {
	if len(sealed) > 0 && sealed[0] != EpochVersion {
		return ident.ID{}, fmt.Errorf("%w: %d", ErrVersion, sealed[0])
	}
	if len(sealed) < EpochOverhead {
		return ident.ID{}, fmt.Errorf("%w: %d bytes", ErrOpen, len(sealed))
	}
	return ident.ID(sealed[1:33]), nil
}

// EpochOpen opens what EpochSeal made under the effective key of the epoch
// that EpochOf tells. It fails with ErrVersion or ErrOpen.
func EpochOpen(effective [32]byte, use string, mesh ident.MeshID, sealed []byte) ([]byte, error) {
	if _, err := EpochOf(sealed); err != nil {
		return nil, err
	}
	header, ct := sealed[:headerSize], sealed[headerSize:]
	plain, err := epochAEAD(effective, use, mesh).Open(nil, header[33:], ct, header)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// EpochKey is the key under which EpochSeal seals for one use. With BoxSeal it seals a
// text that travels with a header of its own which names the epoch, as a record's does:
// that header is the aad then.
func EpochKey(effective [32]byte, use string, mesh ident.MeshID) [32]byte {
	return ident.KDF(effective[:], use+string(mesh[:]))
}

// BoxSeal seals plain under key, which must be derived for this one use.
func BoxSeal(key [32]byte, aad, plain []byte) ([]byte, error) {
	b := make([]byte, nonceSize, BoxOverhead+len(plain))
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return aead(key).Seal(b, b, plain, aad), nil
}

// BoxOpen opens what BoxSeal made. It fails with ErrOpen.
func BoxOpen(key [32]byte, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < BoxOverhead {
		return nil, fmt.Errorf("%w: %d bytes", ErrOpen, len(sealed))
	}
	plain, err := aead(key).Open(nil, sealed[:nonceSize], sealed[nonceSize:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

func epochAEAD(effective [32]byte, use string, mesh ident.MeshID) cipher.AEAD {
	return aead(EpochKey(effective, use, mesh))
}

func aead(key [32]byte) cipher.AEAD {
	a, err := chacha20poly1305.NewX(key[:])
	if err != nil { // only for a key of another length
		panic("seal: " + err.Error())
	}
	return a
}
