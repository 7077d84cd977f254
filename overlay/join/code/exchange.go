package code

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/schollz/pake/v3"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
)

const (
	curve     = "p256"
	pointSize = 65
	macSize   = sha256.Size
	// sealedSize is the invite's secret under the exchange's key. The key is used
	// once, so its nonce is zero.
	sealedSize = len(invite.Secret{}) + chacha20poly1305.Overhead
)

// Roles, as the library numbers them.
const (
	joiner   = 0
	admitter = 1
)

// Ends are the libp2p ids of both sides, which their connection has proved.
type Ends struct{ Joiner, Admitter []byte }

// point is a point of P-256 in its uncompressed form, checked.
type point [pointSize]byte

// readPoint takes nothing but points of the curve, without the neutral element.
func readPoint(raw []byte) (point, error) {
	if len(raw) != pointSize {
		return point{}, fmt.Errorf("%w: a point of %d bytes", ErrMalformed, len(raw))
	}
	if _, err := ecdh.P256().NewPublicKey(raw); err != nil {
		return point{}, fmt.Errorf("%w: no point of the curve", ErrMalformed)
	}
	return point(raw), nil
}

func pointOf(x, y *big.Int) (point, error) {
	var p point
	if x == nil || y == nil || x.Sign() < 0 || y.Sign() < 0 || x.BitLen() > 256 || y.BitLen() > 256 {
		return p, ErrMalformed
	}
	p[0] = 4
	x.FillBytes(p[1:33])
	y.FillBytes(p[33:])
	return readPoint(p[:])
}

func (p point) xy() (x, y *big.Int) {
	return new(big.Int).SetBytes(p[1:33]), new(big.Int).SetBytes(p[33:])
}

// keys are what both sides end with, if they had the same words and ids.
type keys struct {
	joiner, admitter [macSize]byte // their MACs
	seal             [32]byte
}

// password is what the exchange is run with.
func password(c Code, e Ends) []byte {
	sum := hashed("claudemesh/1/code/password", []byte(c.words[0]), []byte(c.words[1]), plateBytes(c.Plate), e.Joiner, e.Admitter)
	return sum[:]
}

func plateBytes(plate int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(plate)) }

// hashed is SHA-256 of parts with their lengths.
func hashed(label string, parts ...[]byte) [32]byte {
	h := sha256.New()
	for _, p := range append([][]byte{[]byte(label)}, parts...) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

// derive makes the keys of an exchange from all that was said in it.
func derive(c Code, e Ends, x, y point, k []byte) keys {
	all := hashed("claudemesh/1/code/exchange", plateBytes(c.Plate), e.Joiner, e.Admitter, x[:], y[:], k)
	mac := func(who string) [macSize]byte {
		key := ident.KDF(all[:], "code/mac/"+who)
		m := hmac.New(sha256.New, key[:])
		m.Write(all[:])
		return [macSize]byte(m.Sum(nil))
	}
	return keys{joiner: mac("joiner"), admitter: mac("admitter"), seal: ident.KDF(all[:], "code/seal")}
}

// begin is the joiner's first step.
func begin(c Code, e Ends) (*pake.Pake, point, error) {
	p, err := pake.InitCurve(password(c, e), joiner, curve)
	if err != nil {
		return nil, point{}, fmt.Errorf("begin the exchange: %w", err)
	}
	x, err := pointOf(p.Xᵤ, p.Xᵥ)
	return p, x, err
}

// reply is the admitter's only step.
func reply(c Code, e Ends, x point) (point, keys, error) {
	p, err := pake.InitCurve(password(c, e), admitter, curve)
	if err != nil {
		return point{}, keys{}, fmt.Errorf("answer the exchange: %w", err)
	}
	in := &pake.Pake{Role: joiner}
	in.Xᵤ, in.Xᵥ = x.xy()
	if err := p.Update(in.Bytes()); err != nil {
		return point{}, keys{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	y, err := pointOf(p.Yᵤ, p.Yᵥ)
	if err != nil {
		return point{}, keys{}, err
	}
	k, err := p.SessionKey()
	if err != nil {
		return point{}, keys{}, fmt.Errorf("answer the exchange: %w", err)
	}
	return y, derive(c, e, x, y, k), nil
}

// finish is the joiner's second step.
func finish(c Code, e Ends, p *pake.Pake, x, y point) (keys, error) {
	in := &pake.Pake{Role: admitter}
	in.Yᵤ, in.Yᵥ = y.xy()
	if err := p.Update(in.Bytes()); err != nil {
		return keys{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	k, err := p.SessionKey()
	if err != nil {
		return keys{}, fmt.Errorf("finish the exchange: %w", err)
	}
	return derive(c, e, x, y, k), nil
}

// sealSecret and openSecret carry the invite's secret; key is used once.
func sealSecret(key [32]byte, s invite.Secret) ([]byte, error) {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, fmt.Errorf("seal the invite: %w", err)
	}
	return aead.Seal(nil, make([]byte, aead.NonceSize()), s[:], nil), nil
}

func openSecret(key [32]byte, sealed []byte) (invite.Secret, error) {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return invite.Secret{}, fmt.Errorf("open the invite: %w", err)
	}
	raw, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, nil)
	if err != nil || len(raw) != len(invite.Secret{}) {
		return invite.Secret{}, ErrImpostor
	}
	return invite.Secret(bytes.Clone(raw)), nil
}
