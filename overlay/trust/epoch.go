package trust

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// CommitKey is the public commitment to an epoch's key: SHA-256("commit" ‖ K).
func CommitKey(key [32]byte) [32]byte {
	return sha256.Sum256(append([]byte("commit"), key[:]...))
}

// Wrap is an epoch's key sealed to one member.
type Wrap struct {
	Member ident.PublicKey
	Sealed []byte
}

// WrapKey seals an epoch's key to a member, by HPKE with use "epoch" and the
// key's commitment as aad. It also serves to give a key to a member that asks.
func WrapKey(mesh ident.MeshID, to Keys, key [32]byte) (Wrap, error) {
	commit := CommitKey(key)
	info := seal.Info(seal.UseEpoch, mesh, to.Member, seal.KeyID(to.Seal))
	sealed, err := seal.Seal(to.Seal, info, commit[:], key[:])
	if err != nil {
		return Wrap{}, fmt.Errorf("wrap the epoch key for %s: %w", to.Member, err)
	}
	return Wrap{Member: to.Member, Sealed: sealed}, nil
}

// OpenWrap opens a wrap with its member's seal key. It fails with seal.ErrOpen,
// or ErrKey if the key is not the one that commit stands for.
func OpenWrap(mesh ident.MeshID, w Wrap, sealKey hpke.PrivateKey, commit [32]byte) ([32]byte, error) {
	info := seal.Info(seal.UseEpoch, mesh, w.Member, seal.KeyID(ident.SealPublic(sealKey)))
	plain, err := seal.Open(sealKey, info, commit[:], w.Sealed)
	if err != nil {
		return [32]byte{}, err
	}
	if len(plain) != 32 || CommitKey([32]byte(plain)) != commit {
		return [32]byte{}, ErrKey
	}
	return [32]byte(plain), nil
}

// marshalWraps writes wraps: for each, 32 bytes member key and the sealed key.
func marshalWraps(wraps []Wrap) []byte {
	b := make([]byte, 0, len(wraps)*wrapSize)
	for _, w := range wraps {
		b = append(b, w.Member[:]...)
		b = append(b, w.Sealed...)
	}
	return b
}

// parseWraps reads what marshalWraps writes; members must ascend.
func parseWraps(b []byte) ([]Wrap, error) {
	if len(b)%wrapSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes of wrapped keys", ErrInvalid, len(b))
	}
	var wraps []Wrap
	for ; len(b) > 0; b = b[wrapSize:] {
		w := Wrap{Member: ident.PublicKey(b[:32]), Sealed: bytes.Clone(b[32:wrapSize])}
		if n := len(wraps); n > 0 && wraps[n-1].Member.Compare(w.Member) >= 0 {
			return nil, fmt.Errorf("%w: wrapped keys are not in order", ErrInvalid)
		}
		wraps = append(wraps, w)
	}
	return wraps, nil
}

func wrapsHash(wraps []Wrap) [32]byte { return sha256.Sum256(marshalWraps(wraps)) }

// PrevKey is the key of an earlier epoch, sealed under the new one's.
type PrevKey struct {
	// Entry is the entry that began the earlier epoch.
	Entry ident.ID
	// Box is the earlier key under KDF(K, "prev" ‖ mesh id), by seal.BoxSeal
	// with the entry's id as aad.
	Box []byte
}

const (
	prevBox  = 32 + seal.BoxOverhead
	prevSize = 32 + prevBox
	maxPrev  = MaxParents
)

// EpochPart is a new epoch inside an epoch or a remove entry.
type EpochPart struct {
	// Commit is CommitKey of the epoch's key.
	Commit [32]byte
	// Wraps is SHA-256 of the wraps that travel with the entry.
	Wraps [32]byte
	// Prev are the keys of the head epochs that the author had, ascending.
	Prev []PrevKey
}

const (
	tagPartCommit = 1
	tagPartWraps  = 2
	tagPartPrev   = 3
	maxPart       = 16 << 10
)

func (p *EpochPart) encode() []byte {
	var f ident.Fields
	f.Bytes(tagPartCommit, p.Commit[:])
	f.Bytes(tagPartWraps, p.Wraps[:])
	if len(p.Prev) > 0 {
		b := make([]byte, 0, len(p.Prev)*prevSize)
		for _, k := range p.Prev {
			b = append(b, k.Entry[:]...)
			b = append(b, k.Box...)
		}
		f.Bytes(tagPartPrev, b)
	}
	return f.Body()
}

// decodeEpochPart reads an epoch part out of a field.
func decodeEpochPart(r *reader, tag uint64) *EpochPart {
	in, err := read(r.Bytes(tag, maxPart), tagPartCommit, tagPartWraps, tagPartPrev)
	if err != nil {
		r.fail("epoch: %v", err)
		return nil
	}
	in.Need(tagPartCommit, tagPartWraps)
	p := &EpochPart{}
	in.Fixed(tagPartCommit, p.Commit[:])
	in.Fixed(tagPartWraps, p.Wraps[:])
	p.Prev = parsePrev(in, in.Bytes(tagPartPrev, maxPrev*prevSize))
	if err := in.done(); err != nil {
		r.fail("epoch: %v", err)
	}
	return p
}

func parsePrev(r *reader, b []byte) []PrevKey {
	if len(b)%prevSize != 0 || r.Has(tagPartPrev) && len(b) == 0 {
		r.fail("%d bytes of earlier keys", len(b))
		return nil
	}
	var prev []PrevKey
	for ; len(b) > 0; b = b[prevSize:] {
		k := PrevKey{Entry: ident.ID(b[:32]), Box: bytes.Clone(b[32:prevSize])}
		if n := len(prev); n > 0 {
			r.check(prev[n-1].Entry.Compare(k.Entry) < 0, "earlier keys are not in order")
		}
		prev = append(prev, k)
	}
	return prev
}

// Epoch begins a new epoch.
type Epoch struct {
	Head
	Part EpochPart
}

const tagEpochPart = 5

// Kind is epoch.
func (*Epoch) Kind() ident.Kind { return ident.KindEpoch }

// Encode writes the signed body.
func (e *Epoch) Encode() []byte {
	var f ident.Fields
	e.write(&f, e.Kind())
	f.Bytes(tagEpochPart, e.Part.encode())
	return f.Body()
}

// DecodeEpoch reads what Encode writes.
func DecodeEpoch(body []byte) (*Epoch, error) {
	h, r, err := readHead(body, ident.KindEpoch, tagEpochPart)
	if err != nil {
		return nil, err
	}
	r.Need(tagEpochPart)
	e := &Epoch{Head: h}
	if p := decodeEpochPart(r, tagEpochPart); p != nil {
		e.Part = *p
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("epoch: %w", err)
	}
	return e, nil
}

// epochPart is the new epoch in a body, or nil. Genesis, whose epoch 0 has no
// wraps, is not among them.
func epochPart(b Body) *EpochPart {
	switch b := b.(type) {
	case *Epoch:
		return &b.Part
	case *Remove:
		return b.Epoch
	}
	return nil
}

// commitOf is the commitment of the epoch that a body begins.
func commitOf(b Body) (commit [32]byte, ok bool) {
	if g, isGenesis := b.(*Genesis); isGenesis {
		return g.Commit, true
	}
	if p := epochPart(b); p != nil {
		return p.Commit, true
	}
	return [32]byte{}, false
}

// EffectiveKey is the key that head epochs give together: KDF of their keys in
// the order of their entries' ids, with info "effective".
func EffectiveKey(keys ...[32]byte) [32]byte {
	return ident.KDF(slices.Concat(asSlices(keys)...), "effective")
}

// EpochID names a set of head epochs: SHA-256 of the sorted entry ids.
func EpochID(heads []ident.ID) ident.ID {
	return sha256.Sum256(slices.Concat(asSlices(sorted(heads))...))
}

func asSlices[T ~[32]byte](ids []T) [][]byte {
	out := make([][]byte, len(ids))
	for i := range ids {
		b := [32]byte(ids[i])
		out[i] = b[:]
	}
	return out
}

// TagKey derives, from epoch 0's key, the key Kh of handshake tags.
func TagKey(epoch0 [32]byte, mesh ident.MeshID) [32]byte {
	return ident.KDF(epoch0[:], "tag"+string(mesh[:]))
}

// IDSecret derives, from epoch 0's key, the secret of record ids.
func IDSecret(epoch0 [32]byte, mesh ident.MeshID) [32]byte {
	return ident.KDF(epoch0[:], "id"+string(mesh[:]))
}
