package backup

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// Sizes of the file's parts, in bytes.
const (
	magic     = "CMB1"
	SaltSize  = 16
	KeySize   = chacha20poly1305.KeySize
	nonceSize = chacha20poly1305.NonceSizeX
	headSize  = len(magic) + SaltSize + nonceSize
	// minFile is the shortest file: one byte of content.
	minFile = headSize + 1 + chacha20poly1305.Overhead

	// MaxContent is the largest content, 256 MiB.
	MaxContent = 256 << 20
	// MaxFile is the largest file.
	MaxFile = MaxContent + headSize + chacha20poly1305.Overhead
)

// Cost of the passphrase.
const (
	passes    = 2
	memoryKiB = 64 << 10
	lanes     = 1
)

// Salt is a file's own; with it one passphrase gives each file another key.
type Salt [SaltSize]byte

// NewSalt makes a random salt.
func NewSalt() (s Salt) {
	rand.Read(s[:]) // never fails
	return s
}

// Key derives a file's key from a passphrase. It takes 64 MiB and a fraction of a
// second.
func Key(passphrase string, salt Salt) [KeySize]byte {
	return [KeySize]byte(argon2.IDKey([]byte(passphrase), salt[:], passes, memoryKiB, lanes, KeySize))
}

// Seal makes a file of a content. key is that of the salt. It fails with ErrTooLarge.
func Seal(key [KeySize]byte, salt Salt, content []byte) ([]byte, error) {
	var nonce [nonceSize]byte
	rand.Read(nonce[:]) // never fails
	return sealWith(key, salt, nonce, content)
}

func sealWith(key [KeySize]byte, salt Salt, nonce [nonceSize]byte, content []byte) ([]byte, error) {
	if len(content) == 0 || len(content) > MaxContent {
		return nil, fmt.Errorf("%w: %d bytes, 1 to %d are", ErrTooLarge, len(content), MaxContent)
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, fmt.Errorf("seal backup: %w", err)
	}
	out := make([]byte, 0, headSize+len(content)+aead.Overhead())
	out = append(out, magic...)
	out = append(out, salt[:]...)
	out = append(out, nonce[:]...)
	return aead.Seal(out, nonce[:], content, nil), nil
}

// Head checks that bytes can be a backup file, before anybody is asked for its
// passphrase, and gives its salt. It fails with ErrFormat.
func Head(file []byte) (Salt, error) {
	switch {
	case len(file) < minFile:
		return Salt{}, fmt.Errorf("%w: it has %d bytes, at least %d are needed", ErrFormat, len(file), minFile)
	case len(file) > MaxFile:
		return Salt{}, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrFormat, len(file), MaxFile)
	case string(file[:len(magic)]) != magic:
		return Salt{}, fmt.Errorf("%w: it does not begin with %s", ErrFormat, magic)
	}
	return Salt(file[len(magic):]), nil
}

// Open gives the content of a file. It fails with ErrFormat or ErrPassphrase.
func Open(passphrase string, file []byte) ([]byte, error) {
	salt, err := Head(file)
	if err != nil {
		return nil, err
	}
	return OpenWith(Key(passphrase, salt), file)
}

// OpenWith is Open with the key itself.
func OpenWith(key [KeySize]byte, file []byte) ([]byte, error) {
	if _, err := Head(file); err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	content, err := aead.Open(nil, file[len(magic)+SaltSize:headSize], file[headSize:], nil)
	if err != nil {
		return nil, ErrPassphrase
	}
	return content, nil
}
