package invite

import (
	"bytes"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Limits of a blob.
const (
	MaxBlob    = 16 << 20 // bytes, sealed
	maxEntries = 1 << 16
	maxText    = trust.MaxName
)

// Card is what is shown of an invite before anybody joins.
type Card struct {
	Mesh    string
	Inviter string
	Role    trust.Role
}

// Offer is an invite as its blob describes it.
type Offer struct {
	// Log holds genesis, the invite and its past. It serves to judge the invite;
	// the mesh's log comes with the welcome.
	Log *trust.Log
	// Invite is the invite, by what its past says.
	Invite trust.InviteState
	// Admitter are the keys of the node that admits with it: Member and Seal.
	Admitter trust.Keys
	// Peer is the admitter's libp2p peer id as text; it may be empty.
	Peer string
	Card Card
}

// Mesh is the id of the mesh.
func (o Offer) Mesh() ident.MeshID { return o.Log.Mesh() }

const (
	tagBlobEntries = 1
	tagBlobMember  = 2
	tagBlobSeal    = 3
	tagBlobPeer    = 4
	tagBlobMesh    = 5
	tagBlobInviter = 6
	tagBlobRole    = 7
)

// SealBlob describes an invite that is in the log, for the bearer of its
// secret. peer is the admitter's libp2p peer id as text, "" if it is not known.
func SealBlob(l *trust.Log, s Secret, id ident.ID, peer string) ([]byte, error) {
	state := l.State()
	inv, ok := state.Invites[id]
	key := s.Key().Public()
	if !ok || inv.Key != key {
		return nil, fmt.Errorf("%w: the log has no such invite", ErrBlob)
	}
	admitter, ok := state.Member(inv.Admitter)
	if !ok {
		return nil, fmt.Errorf("%w: its admitter is no member", ErrBlob)
	}
	var entries [][]byte
	for _, e := range l.Past(id) {
		entries = append(entries, e.Bare().Marshal())
	}
	var f ident.Fields
	f.List(tagBlobEntries, entries)
	f.Bytes(tagBlobMember, admitter.Keys.Member[:])
	f.Bytes(tagBlobSeal, admitter.Keys.Seal)
	if peer != "" {
		f.Text(tagBlobPeer, peer)
	}
	f.Text(tagBlobMesh, state.Name)
	f.Text(tagBlobInviter, state.Members[inv.Signer].Name)
	f.Uint(tagBlobRole, uint64(inv.Role))
	sealed, err := seal.BoxSeal(s.blobKey(), key[:], f.Body())
	if err == nil && len(sealed) > MaxBlob {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d", ErrBlob, len(sealed), MaxBlob)
	}
	return sealed, err
}

// OpenBlob opens a blob with the secret of its link and checks all of it: that
// genesis leads to the invite, that the invite has the link's key and counts,
// and that the admitter is the one it names. Whether the invite's time is over
// is left to the caller (Invite.Expired). It fails with ErrBlob.
func OpenBlob(s Secret, sealed []byte) (Offer, error) {
	if len(sealed) > MaxBlob {
		return Offer{}, fmt.Errorf("%w: it has %d bytes, at most %d", ErrBlob, len(sealed), MaxBlob)
	}
	key := s.Key().Public()
	body, err := seal.BoxOpen(s.blobKey(), key[:], sealed)
	if err != nil {
		return Offer{}, fmt.Errorf("%w: %w", ErrBlob, err)
	}
	o, err := parseBlob(body)
	if err != nil {
		return Offer{}, fmt.Errorf("%w: %w", ErrBlob, err)
	}
	if err := o.check(key); err != nil {
		return Offer{}, err
	}
	return o, nil
}

// parseBlob reads a blob's body and builds its log; the last entry is the invite.
func parseBlob(body []byte) (Offer, error) {
	r, err := ident.ReadFields(body, tagBlobEntries, tagBlobMember, tagBlobSeal,
		tagBlobPeer, tagBlobMesh, tagBlobInviter, tagBlobRole)
	if err != nil {
		return Offer{}, err
	}
	r.Need(tagBlobEntries, tagBlobMember, tagBlobSeal, tagBlobMesh, tagBlobInviter, tagBlobRole)
	o := Offer{
		Admitter: trust.Keys{Member: r.Key(tagBlobMember), Seal: r.Bytes(tagBlobSeal, seal.PublicSize)},
		Peer:     r.Text(tagBlobPeer, maxPeer),
		Card: Card{
			Mesh:    r.Text(tagBlobMesh, maxText),
			Inviter: r.Text(tagBlobInviter, maxText),
			Role:    trust.Role(min(r.Uint(tagBlobRole), uint64(trust.RoleOwner)+1)),
		},
	}
	raw := r.List(tagBlobEntries, maxEntries, trust.MaxBody+256)
	if r.Err() != nil {
		return Offer{}, r.Err()
	}
	entries := make([]trust.Entry, 0, len(raw))
	for _, b := range raw {
		e, err := trust.ParseBareEntry(b)
		if err != nil {
			return Offer{}, err
		}
		entries = append(entries, e)
	}
	if o.Log, err = trust.OpenPast(entries); err != nil {
		return Offer{}, err
	}
	o.Invite = o.Log.State().Invites[entries[len(entries)-1].ID()]
	return o, nil
}

// check holds an offer against the log that it brings.
func (o Offer) check(key ident.PublicKey) error {
	if o.Invite.Invite == nil || o.Invite.Key != key || !o.Invite.Open() {
		return fmt.Errorf("%w: it does not lead to the link's invite", ErrBlob)
	}
	state := o.Log.State()
	admitter, ok := state.Member(o.Invite.Admitter)
	if !ok || admitter.Keys.Member != o.Admitter.Member || !bytes.Equal(admitter.Keys.Seal, o.Admitter.Seal) {
		return fmt.Errorf("%w: it names another admitter", ErrBlob)
	}
	want := Card{Mesh: state.Name, Inviter: state.Members[o.Invite.Signer].Name, Role: o.Invite.Role}
	if o.Card != want {
		return fmt.Errorf("%w: its card is not what its log says", ErrBlob)
	}
	return nil
}
