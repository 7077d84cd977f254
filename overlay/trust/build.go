package trust

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// The Sign methods make entries on top of all the log holds. They refuse, with
// ErrDenied and its like, what would not count, and change nothing: the caller
// adds the entry, after it is safe on disk. Two entries of one signer must not
// be made from one state of the log, if the first is to be in the second's past.

// head begins the body of a new entry.
func (l *Log) head(signer ident.PrivateKey, now time.Time) Head {
	return Head{Signer: signer.Public(), Parents: l.parentsNow(), Time: moment(millis(now))}
}

// need checks the signer's role.
func need(s *State, signer ident.PublicKey, least Role, what string) error {
	if got := s.Role(signer); got < least {
		return fmt.Errorf("%w: to %s takes the role %s, %s has %s", ErrDenied, what, least, signer, got)
	}
	return nil
}

// SignInvite makes an invite; v's Head is filled in. A zero Admitter is the
// signer. It fails with ErrDenied, or ErrInvalid for an invite that could never
// count.
func (l *Log) SignInvite(signer ident.PrivateKey, v Invite, now time.Time) (Entry, error) {
	s := l.State()
	least := RoleAdmin
	if v.Role == RoleAdmin {
		least = RoleOwner
	}
	if err := need(s, signer.Public(), least, "invite a new "+v.Role.String()); err != nil {
		return Entry{}, err
	}
	v.Head = l.head(signer, now)
	if v.Admitter.IsZero() {
		v.Admitter = v.Signer
	}
	if v.Admitter != v.Signer && s.Role(v.Admitter) != RoleService {
		return Entry{}, fmt.Errorf("%w: only the signer or a service admits with an invite", ErrInvalid)
	}
	return signEntry(l.mesh, signer, &v, nil, nil)
}

// SignUninvite ends invites. It fails with ErrDenied.
func (l *Log) SignUninvite(signer ident.PrivateKey, invites []ident.ID, now time.Time) (Entry, error) {
	if err := need(l.State(), signer.Public(), RoleAdmin, "end invites"); err != nil {
		return Entry{}, err
	}
	if len(invites) > MaxIDs {
		return Entry{}, fmt.Errorf("%w: %d invites, at most %d", ErrTooMany, len(invites), MaxIDs)
	}
	u := &Uninvite{Head: l.head(signer, now), Invites: sorted(invites)}
	return signEntry(l.mesh, signer, u, nil, nil)
}

// SignAdmit admits a claimant; a's Head is filled in. With a.Invite the claim's
// invite is used: its admitter signs, and a zero Role is the invite's. Without,
// the owner or an admin admits by an old claim. now also judges whether the
// invite has expired. It fails with ErrInvite, ErrDenied, ErrMember, or
// ident.ErrSignature for a claim that does not verify.
func (l *Log) SignAdmit(signer ident.PrivateKey, a Admit, now time.Time) (Entry, error) {
	s := l.State()
	claim, err := DecodeClaim(a.Claim.Body)
	if err != nil {
		return Entry{}, err
	}
	inv, ok := s.Invites[claim.Invite]
	if !ok {
		return Entry{}, fmt.Errorf("%w: this mesh has no such invite", ErrInvite)
	}
	if _, err := CheckClaim(l.mesh, a.Claim, inv.Key); err != nil {
		return Entry{}, err
	}
	if _, in := s.Member(claim.Keys.Member); in {
		return Entry{}, fmt.Errorf("%w: %s", ErrMember, claim.Keys.Member)
	}
	a.Claimed, a.Head = claim, l.head(signer, now)
	if a.Invite.IsZero() {
		err = mayAdmit(s, a)
	} else {
		if a.Role == RoleNone {
			a.Role = inv.Role
		}
		err = mayUse(inv, a, now)
	}
	if err != nil {
		return Entry{}, err
	}
	return signEntry(l.mesh, signer, &a, nil, nil)
}

// mayAdmit checks an admission without an invite.
func mayAdmit(s *State, a Admit) error {
	least := RoleAdmin
	if a.Role == RoleAdmin {
		least = RoleOwner
	}
	return need(s, a.Signer, least, "admit a "+a.Role.String())
}

// mayUse checks an admission by an invite.
func mayUse(inv InviteState, a Admit, now time.Time) error {
	switch {
	case a.Invite != inv.ID:
		return fmt.Errorf("%w: the claim is for another invite", ErrInvite)
	case a.Signer != inv.Admitter:
		return fmt.Errorf("%w: another node admits with it", ErrInvite)
	case inv.Ended:
		return fmt.Errorf("%w: it was ended; ask for a new one", ErrInvite)
	case inv.Used >= inv.Uses:
		return fmt.Errorf("%w: it is used up; ask for a new one", ErrInvite)
	case inv.Expired(now):
		return fmt.Errorf("%w: it expired %s; ask for a new one", ErrInvite, inv.Expires.Format(time.RFC3339))
	case a.Role != inv.Role:
		return fmt.Errorf("%w: it is for the role %s", ErrInvite, inv.Role)
	}
	return nil
}

// SignRole gives a member another role. Only the owner may. It fails with
// ErrDenied or ErrNotMember.
func (l *Log) SignRole(signer ident.PrivateKey, member ident.PublicKey, role Role, now time.Time) (Entry, error) {
	s := l.State()
	if err := need(s, signer.Public(), RoleOwner, "change roles"); err != nil {
		return Entry{}, err
	}
	if _, in := s.Member(member); !in {
		return Entry{}, fmt.Errorf("%w: %s", ErrNotMember, member)
	}
	return signEntry(l.mesh, signer, &RoleChange{Head: l.head(signer, now), Member: member, Role: role}, nil, nil)
}

// Removal is what SignRemove takes out.
type Removal struct {
	// Targets are the members and guests to remove.
	Targets []Principal
	// Lists are, by target, the lists of records that still count. A target
	// without a list keeps none.
	Lists map[Principal][]byte
	// Invites end with the removal; see State.OpenMultiUse.
	Invites []ident.ID
	// Key is the new epoch's key, from seal.NewKey. The caller puts it into its
	// keyring under the entry's id once the entry is in the log. It is unused if
	// no target is a member.
	Key [32]byte
}

// SignRemove removes members and guests, with a new epoch that they are not
// given. ring gives the earlier keys. It fails with ErrDenied or ErrTooMany.
func (l *Log) SignRemove(signer ident.PrivateKey, what Removal, ring *Keyring, now time.Time) (Entry, error) {
	s := l.State()
	if err := need(s, signer.Public(), RoleAdmin, "remove members"); err != nil {
		return Entry{}, err
	}
	if len(what.Targets) > MaxTargets || len(what.Invites) > MaxIDs {
		return Entry{}, fmt.Errorf("%w: at most %d targets and %d invites", ErrTooMany, MaxTargets, MaxIDs)
	}
	v := &Remove{Head: l.head(signer, now), Targets: sorted(what.Targets), Invites: sorted(what.Invites)}
	var lists [][]byte
	rekey := false
	for _, t := range v.Targets {
		if err := mayRemove(s, v.Signer, t); err != nil {
			return Entry{}, err
		}
		_, in := s.Members[ident.PublicKey(t)]
		rekey = rekey || in || len(l.admitsOf(ident.PublicKey(t))) > 0
		var keep [32]byte
		if list, ok := what.Lists[t]; ok {
			keep, lists = sha256.Sum256(list), append(lists, list)
		}
		v.Keeps = append(v.Keeps, keep)
	}
	var wraps []Wrap
	if rekey {
		part, w, err := newEpoch(s, v.Targets, ring, what.Key)
		if err != nil {
			return Entry{}, err
		}
		v.Epoch, wraps = &part, w
	}
	return signEntry(l.mesh, signer, v, wraps, lists)
}

// mayRemove checks one target of a removal.
func mayRemove(s *State, signer ident.PublicKey, t Principal) error {
	target := ident.PublicKey(t)
	if target == signer {
		return fmt.Errorf("%w: one leaves a mesh and does not remove oneself", ErrDenied)
	}
	if role := s.Role(target); role >= RoleAdmin && s.Role(signer) != RoleOwner {
		return fmt.Errorf("%w: only the owner removes an %s", ErrDenied, role)
	}
	return nil
}

// admitsOf are the known admits of a key.
func (l *Log) admitsOf(key ident.PublicKey) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.admits[key]
}

// SignLeave takes the signer out. list is the list of its records that still
// count, or nil for none. It fails with ErrNotMember, or ErrDenied for the owner.
func (l *Log) SignLeave(signer ident.PrivateKey, list []byte, now time.Time) (Entry, error) {
	switch l.State().Role(signer.Public()) {
	case RoleNone:
		return Entry{}, fmt.Errorf("%w: %s", ErrNotMember, signer.Public())
	case RoleOwner:
		return Entry{}, fmt.Errorf("%w: the owner cannot leave its own mesh", ErrDenied)
	}
	v := &Leave{Head: l.head(signer, now)}
	var lists [][]byte
	if list != nil {
		v.Keep, lists = sha256.Sum256(list), [][]byte{list}
	}
	return signEntry(l.mesh, signer, v, nil, lists)
}

// SignEpoch begins a new epoch with this key, from seal.NewKey, for all members.
// ring gives the earlier keys; the caller puts the new one into it under the
// entry's id once the entry is in the log. It fails with ErrDenied.
func (l *Log) SignEpoch(signer ident.PrivateKey, key [32]byte, ring *Keyring, now time.Time) (Entry, error) {
	s := l.State()
	if err := need(s, signer.Public(), RoleAdmin, "begin an epoch"); err != nil {
		return Entry{}, err
	}
	part, wraps, err := newEpoch(s, nil, ring, key)
	if err != nil {
		return Entry{}, err
	}
	return signEntry(l.mesh, signer, &Epoch{Head: l.head(signer, now), Part: part}, wraps, nil)
}

// SignSet sets one of the mesh's settings; an empty value unsets it. It fails
// with ErrDenied.
func (l *Log) SignSet(signer ident.PrivateKey, key, value string, now time.Time) (Entry, error) {
	if err := need(l.State(), signer.Public(), RoleAdmin, "change settings"); err != nil {
		return Entry{}, err
	}
	return signEntry(l.mesh, signer, &Set{Head: l.head(signer, now), Key: key, Value: value}, nil, nil)
}

// SignVoid strikes entries of others. Only the owner may. It fails with
// ErrDenied, or ErrInvalid for an entry that is the owner's own or not there.
func (l *Log) SignVoid(signer ident.PrivateKey, entries []ident.ID, now time.Time) (Entry, error) {
	if err := need(l.State(), signer.Public(), RoleOwner, "strike entries"); err != nil {
		return Entry{}, err
	}
	if len(entries) > MaxIDs {
		return Entry{}, fmt.Errorf("%w: %d entries, at most %d", ErrTooMany, len(entries), MaxIDs)
	}
	for _, id := range entries {
		if e, ok := l.Get(id); !ok || e.Signer() == l.owner {
			return Entry{}, fmt.Errorf("%w: %s is no entry of another", ErrInvalid, id)
		}
	}
	return signEntry(l.mesh, signer, &Void{Head: l.head(signer, now), Entries: sorted(entries)}, nil, nil)
}
