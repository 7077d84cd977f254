package trust

import (
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// MaxClaim is the longest body of a claim, in bytes.
const MaxClaim = 4 << 10

// Claim asks for admission by an invite. It is signed by the member key, the
// blind key and the invite key, in this order.
type Claim struct {
	// Invite is the id of the invite's entry.
	Invite ident.ID
	// Keys are the claimant's.
	Keys Keys
	// Peer is the libp2p peer id of the claimant's node, in its binary form.
	Peer []byte
	// Name is the wished name; it may be empty.
	Name string
}

const (
	tagClaimInvite = 1
	tagClaimMember = 2
	tagClaimBlind  = 3
	tagClaimSeal   = 4
	tagClaimPeer   = 5
	tagClaimName   = 6
)

// Encode writes the signed body.
func (c Claim) Encode() []byte {
	var f ident.Fields
	f.Bytes(tagClaimInvite, c.Invite[:])
	f.Bytes(tagClaimMember, c.Keys.Member[:])
	f.Bytes(tagClaimBlind, c.Keys.Blind[:])
	f.Bytes(tagClaimSeal, c.Keys.Seal)
	f.Bytes(tagClaimPeer, c.Peer)
	if c.Name != "" {
		f.Text(tagClaimName, c.Name)
	}
	return f.Body()
}

// DecodeClaim reads what Encode writes.
func DecodeClaim(body []byte) (Claim, error) {
	if len(body) > MaxClaim {
		return Claim{}, fmt.Errorf("claim: %w: %d bytes, at most %d", ident.ErrTooLarge, len(body), MaxClaim)
	}
	r, err := read(body, tagClaimInvite, tagClaimMember, tagClaimBlind, tagClaimSeal, tagClaimPeer, tagClaimName)
	if err != nil {
		return Claim{}, fmt.Errorf("claim: %w", err)
	}
	r.Need(tagClaimInvite, tagClaimMember, tagClaimBlind, tagClaimSeal, tagClaimPeer)
	c := Claim{
		Keys: Keys{Member: r.Key(tagClaimMember), Blind: r.Key(tagClaimBlind), Seal: readSeal(r, tagClaimSeal)},
		Peer: r.Bytes(tagClaimPeer, maxPeer),
	}
	r.Fixed(tagClaimInvite, c.Invite[:])
	r.check(len(c.Peer) > 0, "no peer id")
	r.check(c.Keys.Member != c.Keys.Blind, "member and blind key are the same")
	if r.Has(tagClaimName) {
		c.Name = r.name(tagClaimName)
	}
	if err := r.done(); err != nil {
		return Claim{}, fmt.Errorf("claim: %w", err)
	}
	return c, nil
}

// SignClaim makes the claim statement of a seed. invite is the private key
// that the invite's bearer has.
func SignClaim(mesh ident.MeshID, s ident.Seed, invite ident.PrivateKey, c Claim) ident.Statement {
	c.Keys = KeysOf(s)
	return ident.Sign(ident.KindClaim, mesh, c.Encode(), s.Member(), s.Blind(), invite)
}

// CheckClaim decodes a claim and verifies its three signatures. inviteKey is
// the public key in the entry that the claim names.
func CheckClaim(mesh ident.MeshID, stmt ident.Statement, inviteKey ident.PublicKey) (Claim, error) {
	c, err := DecodeClaim(stmt.Body)
	if err != nil {
		return Claim{}, err
	}
	if err := stmt.Verify(ident.KindClaim, mesh, c.Keys.Member, c.Keys.Blind, inviteKey); err != nil {
		return Claim{}, err
	}
	return c, nil
}

// Admit makes a claimant a member.
type Admit struct {
	Head
	// Claim is the claim statement; the invite it names lies in the entry's past.
	Claim ident.Statement
	// Claimed is the claim's decoded body.
	Claimed Claim
	// Role is the member's role: with an invite, the invite's.
	Role Role
	// Name is the member's name.
	Name string
	// Preset is what its sessions start with.
	Preset Preset
	// Invite is the invite it uses up, the claim's; zero for an admission
	// without an invite, such as after a removal, by an old claim.
	Invite ident.ID
}

const (
	tagAdmitClaim  = 5
	tagAdmitRole   = 6
	tagAdmitName   = 7
	tagAdmitPreset = 8
	tagAdmitInvite = 9
)

// Kind is admit.
func (*Admit) Kind() ident.Kind { return ident.KindAdmit }

// Encode writes the signed body.
func (a *Admit) Encode() []byte {
	var f ident.Fields
	a.write(&f, a.Kind())
	f.Bytes(tagAdmitClaim, a.Claim.Marshal())
	f.Uint(tagAdmitRole, uint64(a.Role))
	f.Text(tagAdmitName, a.Name)
	a.Preset.write(&f, tagAdmitPreset)
	if !a.Invite.IsZero() {
		f.Bytes(tagAdmitInvite, a.Invite[:])
	}
	return f.Body()
}

// DecodeAdmit reads what Encode writes. It decodes the claim and does not
// verify it: that takes the invite.
func DecodeAdmit(body []byte) (*Admit, error) {
	h, r, err := readHead(body, ident.KindAdmit, tagAdmitClaim, tagAdmitRole,
		tagAdmitName, tagAdmitPreset, tagAdmitInvite)
	if err != nil {
		return nil, err
	}
	r.Need(tagAdmitClaim, tagAdmitRole, tagAdmitName)
	raw := r.Bytes(tagAdmitClaim, MaxClaim+256)
	a := &Admit{
		Head:   h,
		Role:   readRole(r, tagAdmitRole),
		Name:   r.name(tagAdmitName),
		Preset: readPreset(r, tagAdmitPreset),
	}
	r.Fixed(tagAdmitInvite, a.Invite[:])
	r.check(!r.Has(tagAdmitInvite) || !a.Invite.IsZero(), "invite id is zero")
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("admit: %w", err)
	}
	if a.Claim, err = ident.ParseStatement(raw, MaxClaim); err != nil {
		return nil, fmt.Errorf("admit: claim: %w", err)
	}
	if a.Claimed, err = DecodeClaim(a.Claim.Body); err != nil {
		return nil, fmt.Errorf("admit: %w", err)
	}
	if !a.Invite.IsZero() && a.Invite != a.Claimed.Invite {
		return nil, fmt.Errorf("admit: %w: the claim is for another invite", ErrInvalid)
	}
	return a, nil
}
