package ident

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
)

// Kind is the kind of a statement, part of what is signed.
type Kind string

// The kinds of docs/trust.md section 2.
const (
	KindGenesis    Kind = "genesis"
	KindInvite     Kind = "invite"
	KindUninvite   Kind = "uninvite"
	KindAdmit      Kind = "admit"
	KindRole       Kind = "role"
	KindRemove     Kind = "remove"
	KindLeave      Kind = "leave"
	KindEpoch      Kind = "epoch"
	KindSet        Kind = "set"
	KindVoid       Kind = "void"
	KindClaim      Kind = "claim"
	KindBind       Kind = "bind"
	KindDelivery   Kind = "delivery"
	KindAttest     Kind = "attest"
	KindProof      Kind = "proof"
	KindMessage    Kind = "message"
	KindReceipt    Kind = "receipt"
	KindUnknownKey Kind = "unknown_key"
	KindBeacon     Kind = "beacon"
	KindRecord     Kind = "record"
	KindBox        Kind = "box"
	KindStream     Kind = "stream"
)

// MaxSigs is the highest number of signatures a statement may carry.
const MaxSigs = 4

// SignedText is the text that a signature of a statement covers. mesh is zero
// for genesis, record and box.
func SignedText(kind Kind, mesh MeshID, body []byte) []byte {
	h := sha256.Sum256(body)
	text := make([]byte, 0, len(Domain)+len(kind)+1+len(mesh)+len(h))
	text = append(text, Domain...)
	text = append(text, kind...)
	text = append(text, 0)
	text = append(text, mesh[:]...)
	return append(text, h[:]...)
}

// Statement is a body and its signatures, in the order the kind prescribes.
type Statement struct {
	Body []byte
	Sigs [][64]byte
}

// Sign makes a statement of body, signed by each of keys in order. mesh is
// zero for genesis, record and box.
func Sign(kind Kind, mesh MeshID, body []byte, keys ...PrivateKey) Statement {
	text := SignedText(kind, mesh, body)
	s := Statement{Body: body, Sigs: make([][64]byte, 0, len(keys))}
	for _, k := range keys {
		s.Sigs = append(s.Sigs, k.Sign(text))
	}
	return s
}

// Verify checks that s carries exactly one good signature of each of keys, in
// order. It fails with ErrSignature, or ErrKey for a key that is not
// acceptable.
func (s Statement) Verify(kind Kind, mesh MeshID, keys ...PublicKey) error {
	if len(keys) == 0 || len(s.Sigs) != len(keys) {
		return fmt.Errorf("%s: %w: %d signatures instead of %d", kind, ErrSignature, len(s.Sigs), len(keys))
	}
	text := SignedText(kind, mesh, s.Body)
	for i, k := range keys {
		if err := k.weak(); err != nil {
			return fmt.Errorf("%s: signer %d: %w", kind, i+1, err)
		}
		if !ed25519.Verify(k[:], text, s.Sigs[i][:]) {
			return fmt.Errorf("%s: signature %d: %w", kind, i+1, ErrSignature)
		}
	}
	return nil
}

// ID is the statement's name: SHA-256 of its body, whoever signed it.
func (s Statement) ID() ID { return sha256.Sum256(s.Body) }

// Marshal writes the statement; doc.go has the layout.
func (s Statement) Marshal() []byte {
	if len(s.Sigs) == 0 || len(s.Sigs) > MaxSigs {
		panic("ident: statement with a bad number of signatures")
	}
	b := make([]byte, 0, len(s.Body)+len(s.Sigs)*64+11)
	b = appendUvarint(b, uint64(len(s.Body)))
	b = append(b, s.Body...)
	b = append(b, byte(len(s.Sigs)))
	for _, sig := range s.Sigs {
		b = append(b, sig[:]...)
	}
	return b
}

// ParseStatement reads what Marshal writes and nothing else. A body over
// maxBody bytes is refused with ErrTooLarge, all else with ErrEncoding. The
// statement holds a copy of b; its signatures are not verified.
func ParseStatement(b []byte, maxBody int) (Statement, error) {
	n, rest, err := cutUvarint(b)
	if err != nil {
		return Statement{}, fmt.Errorf("statement: %w", err)
	}
	if maxBody < 0 || n > uint64(maxBody) {
		return Statement{}, fmt.Errorf("statement: %w: body of %d bytes, at most %d", ErrTooLarge, n, maxBody)
	}
	if uint64(len(rest)) < n+1 {
		return Statement{}, fmt.Errorf("statement: %w: cut short", ErrEncoding)
	}
	body, count, sigs := rest[:n], int(rest[n]), rest[n+1:]
	if count == 0 || count > MaxSigs || len(sigs) != count*64 {
		return Statement{}, fmt.Errorf("statement: %w: %d signatures in %d bytes", ErrEncoding, count, len(sigs))
	}
	s := Statement{Body: append([]byte{}, body...), Sigs: make([][64]byte, count)}
	for i := range s.Sigs {
		copy(s.Sigs[i][:], sigs[i*64:])
	}
	return s, nil
}
