package invite

import (
	"bytes"
	"crypto/hpke"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Limits of what is exchanged.
const (
	// MaxClaim is the longest sealed claim, in bytes.
	MaxClaim = trust.MaxClaim + 256 + seal.Overhead
	// MaxWelcome is the longest sealed welcome, in bytes.
	MaxWelcome = 64 << 20
)

const maxKeys = 1 << 10

// SealClaim seals a claim to the offer's admitter.
func SealClaim(o Offer, claim ident.Statement) ([]byte, error) {
	info := seal.Info(seal.UseClaim, o.Mesh(), o.Admitter.Member, seal.KeyID(o.Admitter.Seal))
	return seal.Seal(o.Admitter.Seal, info, o.Invite.Key[:], claim.Marshal())
}

// OpenClaim opens a claim at its admitter, whose keys are member and sealKey.
// inviteKey is the public key of the invite that the claim came for. The
// claim's signatures are left to Log.SignAdmit. It fails with ErrClaim.
func OpenClaim(mesh ident.MeshID, member ident.PublicKey, sealKey hpke.PrivateKey, inviteKey ident.PublicKey, sealed []byte) (ident.Statement, error) {
	if len(sealed) > MaxClaim {
		return ident.Statement{}, fmt.Errorf("%w: it has %d bytes, at most %d", ErrClaim, len(sealed), MaxClaim)
	}
	info := seal.Info(seal.UseClaim, mesh, member, seal.KeyID(ident.SealPublic(sealKey)))
	plain, err := seal.Open(sealKey, info, inviteKey[:], sealed)
	if err != nil {
		return ident.Statement{}, fmt.Errorf("%w: %w", ErrClaim, err)
	}
	stmt, err := ident.ParseStatement(plain, trust.MaxClaim)
	if err != nil {
		return ident.Statement{}, fmt.Errorf("%w: %w", ErrClaim, err)
	}
	return stmt, nil
}

const (
	tagWelcomeEntries = 1
	tagWelcomeKeys    = 2
)

// SealWelcome seals the log and the keys of the head epochs and of epoch 0 to a
// member that the invite with this public key admitted. It fails with
// trust.ErrNotMember, or trust.ErrNoKey if ring lacks a key.
func SealWelcome(l *trust.Log, ring *trust.Keyring, member, inviteKey ident.PublicKey) ([]byte, error) {
	state := l.State()
	m, ok := state.Member(member)
	if !ok {
		return nil, fmt.Errorf("%w: %s", trust.ErrNotMember, member)
	}
	all := l.Entries()
	ids := append([]ident.ID{all[0].ID()}, state.EpochHeads...)
	slices.SortFunc(ids, ident.ID.Compare)
	var keys []byte
	for _, id := range slices.Compact(ids) {
		key, ok := ring.Get(id)
		if !ok {
			return nil, fmt.Errorf("welcome: epoch %s: %w", id, trust.ErrNoKey)
		}
		keys = append(append(keys, id[:]...), key[:]...)
	}
	entries := make([][]byte, 0, len(all))
	for _, e := range all {
		entries = append(entries, e.Marshal())
	}
	var f ident.Fields
	f.List(tagWelcomeEntries, entries)
	f.Bytes(tagWelcomeKeys, keys)
	if len(f.Body())+seal.Overhead > MaxWelcome {
		return nil, fmt.Errorf("welcome: %w: %d bytes, at most %d", ident.ErrTooLarge, len(f.Body()), MaxWelcome)
	}
	info := seal.Info(seal.UseWelcome, l.Mesh(), member, seal.KeyID(m.Keys.Seal))
	return seal.Seal(m.Keys.Seal, info, inviteKey[:], f.Body())
}

// OpenWelcome opens a welcome at the newcomer and checks it against the offer:
// the same genesis, and a log by which the newcomer is a member with its own
// keys, holding the offer's admitter's invite. It returns the log and a keyring
// with all keys that came along. It fails with ErrWelcome.
func OpenWelcome(o Offer, own trust.Keys, sealKey hpke.PrivateKey, sealed []byte) (*trust.Log, *trust.Keyring, error) {
	if len(sealed) > MaxWelcome {
		return nil, nil, fmt.Errorf("%w: it has %d bytes, at most %d", ErrWelcome, len(sealed), MaxWelcome)
	}
	info := seal.Info(seal.UseWelcome, o.Mesh(), own.Member, seal.KeyID(own.Seal))
	plain, err := seal.Open(sealKey, info, o.Invite.Key[:], sealed)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrWelcome, err)
	}
	l, ring, err := parseWelcome(plain)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrWelcome, err)
	}
	m, in := l.State().Member(own.Member)
	switch {
	case l.Mesh() != o.Mesh():
		return nil, nil, fmt.Errorf("%w: it is of another mesh", ErrWelcome)
	case !l.Has(o.Invite.ID):
		return nil, nil, fmt.Errorf("%w: its log lacks the invite", ErrWelcome)
	case !in || m.Keys.Blind != own.Blind || !bytes.Equal(m.Keys.Seal, own.Seal):
		return nil, nil, fmt.Errorf("%w: by its log we are no member", ErrWelcome)
	}
	ring.Unlock(l, own.Member, sealKey)
	return l, ring, nil
}

func parseWelcome(plain []byte) (*trust.Log, *trust.Keyring, error) {
	r, err := ident.ReadFields(plain, tagWelcomeEntries, tagWelcomeKeys)
	if err != nil {
		return nil, nil, err
	}
	r.Need(tagWelcomeEntries, tagWelcomeKeys)
	raw := r.List(tagWelcomeEntries, maxEntries, trust.MaxEntry)
	keys := r.Bytes(tagWelcomeKeys, maxKeys*64)
	if r.Err() != nil {
		return nil, nil, r.Err()
	}
	entries := make([]trust.Entry, 0, len(raw))
	for _, b := range raw {
		e, err := trust.ParseEntry(b)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, e)
	}
	l, err := trust.LoadLog(entries)
	if err != nil {
		return nil, nil, err
	}
	ring, err := readKeys(l, keys)
	return l, ring, err
}

// readKeys reads pairs of (epoch, key) and checks each against the log.
func readKeys(l *trust.Log, b []byte) (*trust.Keyring, error) {
	ring := trust.NewKeyring()
	if len(b) == 0 || len(b)%64 != 0 {
		return nil, fmt.Errorf("%w: %d bytes of keys", ident.ErrEncoding, len(b))
	}
	for ; len(b) > 0; b = b[64:] {
		if err := ring.Put(l, ident.ID(b[:32]), [32]byte(b[32:64])); err != nil {
			return nil, err
		}
	}
	return ring, nil
}
