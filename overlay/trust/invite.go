package trust

import (
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// MaxUses is how many members one invite may admit.
const MaxUses = 1000

// Role is what a member may do in the mesh. Higher values rank higher.
type Role uint8

// The roles, lowest first.
const (
	RoleNone    Role = 0
	RoleMember  Role = 1
	RoleService Role = 2
	RoleAdmin   Role = 3
	RoleOwner   Role = 4
)

var roleNames = [...]string{"none", "member", "service", "admin", "owner"}

// String is the role's name.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ParseRole reads member, service or admin, the roles that can be given.
func ParseRole(s string) (Role, error) {
	for r := RoleMember; r <= RoleAdmin; r++ {
		if roleNames[r] == s {
			return r, nil
		}
	}
	return RoleNone, fmt.Errorf("%w: %q is no role (member, service, admin)", ErrInvalid, s)
}

// readRole reads a role that can be given.
func readRole(r *reader, tag uint64) Role {
	v := r.Uint(tag)
	if v < uint64(RoleMember) || v > uint64(RoleAdmin) {
		r.fail("field %d: %d is no role", tag, v)
		return RoleNone
	}
	return Role(v)
}

// Preset is what a member's sessions start with. The zero value presets nothing.
type Preset struct {
	// Tag is the shown role tag, such as "reviewer".
	Tag string
	// Groups are group paths, each with ":role" behind it if the member has one.
	Groups []string
	// Mode is the message mode: push, inbox, off or empty.
	Mode string
	// Name is the name under which the member is admitted, whatever it wishes for.
	Name string
}

// IsZero tells whether p presets nothing.
func (p Preset) IsZero() bool {
	return p.Tag == "" && len(p.Groups) == 0 && p.Mode == "" && p.Name == ""
}

const (
	tagPresetTag    = 1
	tagPresetGroups = 2
	tagPresetMode   = 3
	tagPresetName   = 5 // odd: an older reader passes over it
	maxGroups       = 64
	maxPreset       = 16 << 10
)

// write puts the preset into a field, unless it is zero.
func (p Preset) write(f *ident.Fields, tag uint64) {
	if p.IsZero() {
		return
	}
	var inner ident.Fields
	if p.Tag != "" {
		inner.Text(tagPresetTag, p.Tag)
	}
	if len(p.Groups) > 0 {
		groups := make([][]byte, len(p.Groups))
		for i, g := range p.Groups {
			groups[i] = []byte(g)
		}
		inner.List(tagPresetGroups, groups)
	}
	if p.Mode != "" {
		inner.Text(tagPresetMode, p.Mode)
	}
	if p.Name != "" {
		inner.Text(tagPresetName, p.Name)
	}
	f.Bytes(tag, inner.Body())
}

// readPreset reads what write writes.
func readPreset(r *reader, tag uint64) Preset {
	raw := r.Bytes(tag, maxPreset)
	if len(raw) == 0 {
		r.check(!r.Has(tag), "field %d is empty", tag)
		return Preset{}
	}
	in, err := read(raw, tagPresetTag, tagPresetGroups, tagPresetMode, tagPresetName)
	if err != nil {
		r.fail("preset: %v", err)
		return Preset{}
	}
	p := Preset{}
	if in.Has(tagPresetTag) {
		p.Tag = in.name(tagPresetTag)
	}
	for _, g := range in.List(tagPresetGroups, maxGroups, MaxName) {
		in.check(CheckName(string(g)) == nil, "bad group %q", g)
		p.Groups = append(p.Groups, string(g))
	}
	if in.Has(tagPresetMode) {
		p.Mode = in.Text(tagPresetMode, 16)
		in.check(p.Mode == "push" || p.Mode == "inbox" || p.Mode == "off", "message mode %q", p.Mode)
	}
	if in.Has(tagPresetName) {
		p.Name = in.name(tagPresetName)
	}
	if err := in.done(); err != nil {
		r.fail("preset: %v", err)
	}
	return p
}

// Invite lets whoever holds its key be admitted, by one named admitter.
type Invite struct {
	Head
	// Key is the public key whose private half the bearer has.
	Key ident.PublicKey
	// Role is the role that its admits give.
	Role Role
	// Uses is how many it admits, 1 to MaxUses.
	Uses int
	// Expires ends it, by the admitter's clock; zero: never.
	Expires time.Time
	// Admitter alone may admit with it: the signer, or a service.
	Admitter ident.PublicKey
	// Preset is what its admits should give.
	Preset Preset
}

const (
	tagInviteKey      = 5
	tagInviteRole     = 6
	tagInviteUses     = 7
	tagInviteExpires  = 8
	tagInviteAdmitter = 9
	tagInvitePreset   = 10
)

// Kind is invite.
func (*Invite) Kind() ident.Kind { return ident.KindInvite }

// Encode writes the signed body.
func (v *Invite) Encode() []byte {
	var f ident.Fields
	v.write(&f, v.Kind())
	f.Bytes(tagInviteKey, v.Key[:])
	f.Uint(tagInviteRole, uint64(v.Role))
	f.Uint(tagInviteUses, uint64(v.Uses))
	f.Uint(tagInviteExpires, millis(v.Expires))
	f.Bytes(tagInviteAdmitter, v.Admitter[:])
	v.Preset.write(&f, tagInvitePreset)
	return f.Body()
}

// DecodeInvite reads what Encode writes.
func DecodeInvite(body []byte) (*Invite, error) {
	h, r, err := readHead(body, ident.KindInvite, tagInviteKey, tagInviteRole,
		tagInviteUses, tagInviteExpires, tagInviteAdmitter, tagInvitePreset)
	if err != nil {
		return nil, err
	}
	r.Need(tagInviteKey, tagInviteRole, tagInviteUses, tagInviteExpires, tagInviteAdmitter)
	uses := r.Uint(tagInviteUses)
	r.check(uses >= 1 && uses <= MaxUses, "%d uses, 1 to %d are possible", uses, MaxUses)
	v := &Invite{
		Head:     h,
		Key:      r.Key(tagInviteKey),
		Role:     readRole(r, tagInviteRole),
		Uses:     int(min(uses, MaxUses)),
		Expires:  readTime(r, tagInviteExpires),
		Admitter: r.Key(tagInviteAdmitter),
		Preset:   readPreset(r, tagInvitePreset),
	}
	if v.Role == RoleAdmin {
		r.check(v.Uses == 1, "an invite for an admin has one use")
		r.check(v.Admitter == h.Signer, "an invite for an admin is admitted by its signer")
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	return v, nil
}

// Expired tells whether the invite's time is over at now.
func (v *Invite) Expired(now time.Time) bool {
	return !v.Expires.IsZero() && now.After(v.Expires)
}

// Uninvite ends invites: an admit that was not made before it is void.
type Uninvite struct {
	Head
	// Invites are the ids of the invites, ascending.
	Invites []ident.ID
}

const tagUninviteIDs = 5

// Kind is uninvite.
func (*Uninvite) Kind() ident.Kind { return ident.KindUninvite }

// Encode writes the signed body.
func (u *Uninvite) Encode() []byte {
	var f ident.Fields
	u.write(&f, u.Kind())
	writeIDs(&f, tagUninviteIDs, u.Invites)
	return f.Body()
}

// DecodeUninvite reads what Encode writes.
func DecodeUninvite(body []byte) (*Uninvite, error) {
	h, r, err := readHead(body, ident.KindUninvite, tagUninviteIDs)
	if err != nil {
		return nil, err
	}
	r.Need(tagUninviteIDs)
	u := &Uninvite{Head: h, Invites: readSortedIDs[ident.ID](r, tagUninviteIDs, MaxIDs)}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("uninvite: %w", err)
	}
	return u, nil
}
