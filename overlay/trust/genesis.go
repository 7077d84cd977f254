package trust

import (
	"crypto/hpke"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// Keys are the public keys of one member.
type Keys struct {
	// Member is the member's identity.
	Member ident.PublicKey
	// Blind is its pseudonym at relays.
	Blind ident.PublicKey
	// Seal is its long-term HPKE key, ident.SealPublicSize bytes.
	Seal []byte
}

// KeysOf are the public keys of a seed.
func KeysOf(s ident.Seed) Keys {
	return KeysWith(s, s.Seal())
}

// KeysWith is KeysOf for a caller that has derived the seal key already.
func KeysWith(s ident.Seed, sealKey hpke.PrivateKey) Keys {
	return Keys{Member: s.Member().Public(), Blind: s.Blind().Public(), Seal: ident.SealPublic(sealKey)}
}

// readSeal reads a sealing key and checks its form.
func readSeal(r *reader, tag uint64) []byte {
	b := r.Bytes(tag, keySize)
	if r.Has(tag) && r.Err() == nil {
		if _, err := seal.ParsePublic(b); err != nil {
			r.fail("field %d: %v", tag, err)
		}
	}
	return b
}

// Genesis founds a mesh. Its id begins with the mesh id.
type Genesis struct {
	Head
	// Name is the mesh's name, a label.
	Name string
	// Owner is the owner's name as a member.
	Owner string
	// Keys are the owner's; Keys.Member is the signer.
	Keys Keys
	// Nonce makes two meshes of one name and owner differ.
	Nonce [32]byte
	// Commit is CommitKey of epoch 0's key.
	Commit [32]byte
}

const (
	tagGenesisName   = 5
	tagGenesisOwner  = 6
	tagGenesisBlind  = 7
	tagGenesisSeal   = 8
	tagGenesisNonce  = 9
	tagGenesisCommit = 10
)

// Kind is genesis.
func (*Genesis) Kind() ident.Kind { return ident.KindGenesis }

// Encode writes the signed body.
func (g *Genesis) Encode() []byte {
	var f ident.Fields
	g.write(&f, g.Kind())
	f.Text(tagGenesisName, g.Name)
	f.Text(tagGenesisOwner, g.Owner)
	f.Bytes(tagGenesisBlind, g.Keys.Blind[:])
	f.Bytes(tagGenesisSeal, g.Keys.Seal)
	f.Bytes(tagGenesisNonce, g.Nonce[:])
	f.Bytes(tagGenesisCommit, g.Commit[:])
	return f.Body()
}

// DecodeGenesis reads what Encode writes.
func DecodeGenesis(body []byte) (*Genesis, error) {
	h, r, err := readHead(body, ident.KindGenesis, tagGenesisName, tagGenesisOwner,
		tagGenesisBlind, tagGenesisSeal, tagGenesisNonce, tagGenesisCommit)
	if err != nil {
		return nil, err
	}
	r.Need(tagGenesisBlind, tagGenesisSeal, tagGenesisNonce, tagGenesisCommit)
	g := &Genesis{
		Head:  h,
		Name:  r.name(tagGenesisName),
		Owner: r.name(tagGenesisOwner),
		Keys:  Keys{Member: h.Signer, Blind: r.Key(tagGenesisBlind), Seal: readSeal(r, tagGenesisSeal)},
	}
	r.Fixed(tagGenesisNonce, g.Nonce[:])
	r.Fixed(tagGenesisCommit, g.Commit[:])
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return g, nil
}

// CreateGenesis founds a mesh: name is the mesh's, ownerName the owner's name
// as a member, now the time it shows, epochKey the key of epoch 0, which the
// caller made with seal.NewKey and keeps in its Keyring.
func CreateGenesis(owner ident.Seed, name, ownerName string, now time.Time, epochKey [32]byte) (Entry, error) {
	nonce, err := seal.NewKey()
	if err != nil {
		return Entry{}, err
	}
	g := &Genesis{
		Head:   Head{Signer: owner.Member().Public(), Time: moment(millis(now))},
		Name:   name,
		Owner:  ownerName,
		Keys:   KeysOf(owner),
		Nonce:  nonce,
		Commit: CommitKey(epochKey),
	}
	return signEntry(ident.MeshID{}, owner.Member(), g, nil, nil)
}
