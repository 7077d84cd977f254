package ident

import (
	"bytes"
	"encoding/base32"
	"encoding/hex"
	"fmt"
)

// meshText is RFC 4648 base32 in lower case, without padding.
var meshText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// MeshID names a mesh: the first 160 bits of its genesis statement's id.
type MeshID [20]byte

// ParseMeshID reads the 32 characters that String writes. It fails with
// ErrMeshID.
func ParseMeshID(s string) (MeshID, error) {
	if len(s) != 32 {
		return MeshID{}, ErrMeshID
	}
	b, err := meshText.DecodeString(s)
	if err != nil || len(b) != 20 || meshText.EncodeToString(b) != s {
		return MeshID{}, ErrMeshID
	}
	return MeshID(b), nil
}

// IsZero tells whether m was never set.
func (m MeshID) IsZero() bool { return m == MeshID{} }

// String is the id in 32 lower-case base32 characters.
func (m MeshID) String() string { return meshText.EncodeToString(m[:]) }

// MarshalText writes what String returns.
func (m MeshID) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (m *MeshID) UnmarshalText(text []byte) error {
	parsed, err := ParseMeshID(string(text))
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// ID names a statement: SHA-256 of its body.
type ID [32]byte

// ParseID reads the 64 hex digits that String writes. It fails with ErrID.
func ParseID(s string) (ID, error) {
	b, err := unhex(s, 32)
	if err != nil {
		return ID{}, fmt.Errorf("%w: %w", ErrID, err)
	}
	return ID(b), nil
}

// Mesh is the mesh id of the genesis statement whose id is i.
func (i ID) Mesh() MeshID { return MeshID(i[:20]) }

// IsZero tells whether i was never set.
func (i ID) IsZero() bool { return i == ID{} }

// Compare orders ids by their bytes.
func (i ID) Compare(o ID) int { return bytes.Compare(i[:], o[:]) }

// String is the id in 64 lower-case hex digits.
func (i ID) String() string { return hex.EncodeToString(i[:]) }

// MarshalText writes what String returns.
func (i ID) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (i *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*i = parsed
	return nil
}
