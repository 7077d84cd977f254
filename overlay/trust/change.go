package trust

import (
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// RoleChange gives a member another role. Only the owner signs it.
type RoleChange struct {
	Head
	// Member is the member's key.
	Member ident.PublicKey
	// Role is the new role: member, service or admin.
	Role Role
}

const (
	tagRoleMember = 5
	tagRoleRole   = 6
)

// Kind is role.
func (*RoleChange) Kind() ident.Kind { return ident.KindRole }

// Encode writes the signed body.
func (c *RoleChange) Encode() []byte {
	var f ident.Fields
	c.write(&f, c.Kind())
	f.Bytes(tagRoleMember, c.Member[:])
	f.Uint(tagRoleRole, uint64(c.Role))
	return f.Body()
}

// DecodeRoleChange reads what Encode writes.
func DecodeRoleChange(body []byte) (*RoleChange, error) {
	h, r, err := readHead(body, ident.KindRole, tagRoleMember, tagRoleRole)
	if err != nil {
		return nil, err
	}
	r.Need(tagRoleMember, tagRoleRole)
	c := &RoleChange{Head: h, Member: r.Key(tagRoleMember), Role: readRole(r, tagRoleRole)}
	r.check(c.Member != h.Signer, "the owner's role cannot change")
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	return c, nil
}

// Principal is whom a grant, a ban or a file names: a member's key, or for a
// classic user behind a service GuestPrincipal.
type Principal [32]byte

// String is the principal in 64 lower-case hex digits.
func (p Principal) String() string { return ident.ID(p).String() }

// MarshalText writes what String returns.
func (p Principal) MarshalText() ([]byte, error) { return ident.ID(p).MarshalText() }

// UnmarshalText reads what MarshalText writes.
func (p *Principal) UnmarshalText(text []byte) error { return (*ident.ID)(p).UnmarshalText(text) }

// Remove takes members or guests out, with the new epoch in the same statement.
type Remove struct {
	Head
	// Targets are who goes, ascending.
	Targets []Principal
	// Keeps are, for each target, the hash of the list of its records that
	// still count; zero: none.
	Keeps [][32]byte
	// Invites are invites that end with it, ascending.
	Invites []ident.ID
	// Epoch is the new epoch; nil if only guests are removed.
	Epoch *EpochPart
}

const (
	tagRemoveTargets = 5
	tagRemoveKeeps   = 6
	tagRemoveInvites = 7
	tagRemoveEpoch   = 8
)

// Kind is remove.
func (*Remove) Kind() ident.Kind { return ident.KindRemove }

// Encode writes the signed body.
func (v *Remove) Encode() []byte {
	var f ident.Fields
	v.write(&f, v.Kind())
	writeIDs(&f, tagRemoveTargets, v.Targets)
	writeIDs(&f, tagRemoveKeeps, v.Keeps)
	writeIDs(&f, tagRemoveInvites, v.Invites)
	if v.Epoch != nil {
		f.Bytes(tagRemoveEpoch, v.Epoch.encode())
	}
	return f.Body()
}

// DecodeRemove reads what Encode writes.
func DecodeRemove(body []byte) (*Remove, error) {
	h, r, err := readHead(body, ident.KindRemove, tagRemoveTargets, tagRemoveKeeps, tagRemoveInvites, tagRemoveEpoch)
	if err != nil {
		return nil, err
	}
	r.Need(tagRemoveTargets, tagRemoveKeeps)
	v := &Remove{
		Head:    h,
		Targets: readSortedIDs[Principal](r, tagRemoveTargets, MaxTargets),
		Keeps:   readIDs[[32]byte](r, tagRemoveKeeps, MaxTargets),
		Invites: readSortedIDs[ident.ID](r, tagRemoveInvites, MaxIDs),
	}
	r.check(len(v.Keeps) == len(v.Targets), "%d keeps for %d targets", len(v.Keeps), len(v.Targets))
	for _, t := range v.Targets {
		r.check(t != Principal(h.Signer), "one leaves and does not remove oneself")
	}
	if r.Has(tagRemoveEpoch) {
		v.Epoch = decodeEpochPart(r, tagRemoveEpoch)
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("remove: %w", err)
	}
	return v, nil
}

// Leave takes its signer out.
type Leave struct {
	Head
	// Keep is the hash of the list of the signer's records that still count;
	// zero: none.
	Keep [32]byte
}

const tagLeaveKeep = 5

// Kind is leave.
func (*Leave) Kind() ident.Kind { return ident.KindLeave }

// Encode writes the signed body.
func (l *Leave) Encode() []byte {
	var f ident.Fields
	l.write(&f, l.Kind())
	f.Bytes(tagLeaveKeep, l.Keep[:])
	return f.Body()
}

// DecodeLeave reads what Encode writes.
func DecodeLeave(body []byte) (*Leave, error) {
	h, r, err := readHead(body, ident.KindLeave, tagLeaveKeep)
	if err != nil {
		return nil, err
	}
	r.Need(tagLeaveKeep)
	l := &Leave{Head: h}
	r.Fixed(tagLeaveKeep, l.Keep[:])
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("leave: %w", err)
	}
	return l, nil
}

// Limits of a setting.
const (
	MaxSettingKey   = 64
	MaxSettingValue = 16 << 10
)

// Set sets one of the mesh's settings, among them its host and its relays.
type Set struct {
	Head
	// Key names the setting.
	Key string
	// Value is its value; empty unsets it.
	Value string
}

const (
	tagSetKey   = 5
	tagSetValue = 6
)

// Kind is set.
func (*Set) Kind() ident.Kind { return ident.KindSet }

// Encode writes the signed body.
func (s *Set) Encode() []byte {
	var f ident.Fields
	s.write(&f, s.Kind())
	f.Text(tagSetKey, s.Key)
	f.Text(tagSetValue, s.Value)
	return f.Body()
}

// DecodeSet reads what Encode writes.
func DecodeSet(body []byte) (*Set, error) {
	h, r, err := readHead(body, ident.KindSet, tagSetKey, tagSetValue)
	if err != nil {
		return nil, err
	}
	r.Need(tagSetKey, tagSetValue)
	s := &Set{Head: h, Key: r.Text(tagSetKey, MaxSettingKey), Value: r.Text(tagSetValue, MaxSettingValue)}
	r.check(s.Key != "", "setting without a name")
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("set: %w", err)
	}
	return s, nil
}

// Void strikes entries of others, as if they had never been signed. Only the
// owner signs it, when an admin's key was stolen.
type Void struct {
	Head
	// Entries are the ids of what is struck, ascending.
	Entries []ident.ID
}

const tagVoidEntries = 5

// Kind is void.
func (*Void) Kind() ident.Kind { return ident.KindVoid }

// Encode writes the signed body.
func (v *Void) Encode() []byte {
	var f ident.Fields
	v.write(&f, v.Kind())
	writeIDs(&f, tagVoidEntries, v.Entries)
	return f.Body()
}

// DecodeVoid reads what Encode writes.
func DecodeVoid(body []byte) (*Void, error) {
	h, r, err := readHead(body, ident.KindVoid, tagVoidEntries)
	if err != nil {
		return nil, err
	}
	r.Need(tagVoidEntries)
	v := &Void{Head: h, Entries: readSortedIDs[ident.ID](r, tagVoidEntries, MaxIDs)}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("void: %w", err)
	}
	return v, nil
}
