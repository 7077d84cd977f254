package trust

import (
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust/internal/dag"
)

// rules works out which entries of a log count, by rules 1 to 4 of
// docs/trust.md section 3. It works on the whole log or on the past of one
// entry. The log's mutex is held.
type rules struct {
	log *Log
	// roles remembers what promotions rest on, by index; a void forgets it.
	roles map[int]basis
}

// basis is what an owner's role entry rests on: the admits that made its
// member one in its past.
type basis struct {
	holds  bool
	admits []int
}

func (r *rules) forget() { r.roles = nil }

// view is the judgement of one set of entries.
type view struct {
	*rules
	in     func(int) bool
	struck map[int]bool
	// counts tells, by index, which entries count.
	counts []bool
	// shielded are admits that a counted role entry of the owner rests on.
	shielded map[int]bool
	// acts are the counted entries about each person, in (depth, id) order of
	// the stages that found them.
	acts map[ident.PublicKey][]act
	// ends are the counted entries that end an invite.
	ends map[ident.ID][]int
	used map[ident.ID]int
}

// act is one counted entry about one person.
type act struct {
	at    int
	role  Role // what it gives; RoleNone: it takes the person out
	level Role // rank of the signer's entry: owner, admin or service
	own   bool // the person's own leave
	admit bool
}

// judge works out the entries for which in holds.
func (r *rules) judge(in func(int) bool) *view {
	v := &view{
		rules:    r,
		in:       in,
		struck:   r.struck(),
		counts:   make([]bool, len(r.log.entries)),
		shielded: map[int]bool{},
		acts:     map[ident.PublicKey][]act{},
		ends:     map[ident.ID][]int{},
		used:     map[ident.ID]int{},
	}
	ordered := v.ordered()
	v.judgeOwner(ordered)
	v.judgeLeaves(ordered)
	v.judgeAdmins(ordered)
	v.judgeAdmits(ordered, RoleAdmin)
	v.judgeAdmits(ordered, RoleService)
	return v
}

// struck are the entries of others that the owner's voids list. They are taken
// from the whole log, also where a past is judged.
func (r *rules) struck() map[int]bool {
	out := map[int]bool{}
	for _, e := range r.log.entries {
		void, ok := e.body.(*Void)
		if !ok {
			continue
		}
		for _, id := range void.Entries {
			if i, ok := r.log.graph.Index(id); ok && r.log.entries[i].Signer() != r.log.owner {
				out[i] = true
			}
		}
	}
	return out
}

// ordered are the entries to judge, by (depth, id).
func (v *view) ordered() []int {
	var out []int
	for i := range v.log.entries {
		if v.in(i) && !v.struck[i] {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, v.graph().Compare)
	return out
}

func (v *view) graph() *dag.Graph { return &v.log.graph }

func (v *view) signer(i int) ident.PublicKey { return v.log.entries[i].Signer() }

// count marks an entry, and remembers whom it is about and what it ends.
func (v *view) count(i int, level Role) {
	v.counts[i] = true
	switch b := v.log.entries[i].body.(type) {
	case *Admit:
		v.act(b.Claimed.Keys.Member, act{at: i, role: b.Role, level: level, admit: true})
		if !b.Invite.IsZero() {
			v.used[b.Invite]++
		}
	case *RoleChange:
		v.act(b.Member, act{at: i, role: b.Role, level: level})
	case *Leave:
		v.act(b.Signer, act{at: i, level: level, own: true})
	case *Remove:
		for _, t := range b.Targets {
			if level == RoleOwner || v.mayTouch(ident.PublicKey(t), i) {
				v.act(ident.PublicKey(t), act{at: i, level: level})
			}
		}
		for _, id := range b.Invites {
			v.ends[id] = append(v.ends[id], i)
		}
	case *Uninvite:
		for _, id := range b.Invites {
			v.ends[id] = append(v.ends[id], i)
		}
	}
}

func (v *view) act(key ident.PublicKey, a act) {
	if key != v.log.owner {
		v.acts[key] = append(v.acts[key], a)
	}
}

// judgeOwner is rule 1: the owner's entries count. A role entry counts if its
// member is one in its past: only an admit brings somebody in. An admit by an
// invite keeps to the invite's uses and to the owner's own uninvites.
func (v *view) judgeOwner(ordered []int) {
	var admits []int
	for _, i := range ordered {
		if v.signer(i) != v.log.owner {
			continue
		}
		switch v.log.entries[i].body.(type) {
		case *Admit:
			admits = append(admits, i)
		case *RoleChange:
			if b := v.basis(i); b.holds {
				v.count(i, RoleOwner)
				for _, a := range b.admits {
					v.shielded[a] = true
				}
			}
		default:
			v.count(i, RoleOwner)
		}
	}
	for _, i := range admits {
		if v.shielded[i] || v.open(i) {
			v.count(i, RoleOwner)
		}
	}
}

// basis judges the past of an owner's role entry: is its member one there, and
// by which admits. They then count whatever is concurrent with them, so that
// nobody below the owner can undo what the owner built on.
func (v *view) basis(i int) basis {
	if b, ok := v.roles[i]; ok {
		return b
	}
	key := v.log.entries[i].body.(*RoleChange).Member
	past := v.rules.judge(v.graph().Past(i).Has)
	b := basis{holds: past.role(key) != RoleNone}
	for _, a := range past.acts[key] {
		if a.admit {
			b.admits = append(b.admits, a.at)
		}
	}
	if v.roles == nil {
		v.rules.roles = map[int]basis{}
	}
	v.rules.roles[i] = b
	return b
}

// judgeLeaves: a leave counts, it is the member's own to sign.
func (v *view) judgeLeaves(ordered []int) {
	for _, i := range ordered {
		if _, ok := v.log.entries[i].body.(*Leave); ok {
			v.count(i, RoleNone)
		}
	}
}

// judgeAdmins is rule 2 for all that needs no other admin's entry. What is
// about a person is rule 3 (mayTouch).
func (v *view) judgeAdmins(ordered []int) {
	for _, i := range ordered {
		if v.signer(i) == v.log.owner {
			continue
		}
		switch b := v.log.entries[i].body.(type) {
		case *Uninvite, *Remove, *Epoch, *Set:
			if v.admin(v.signer(i), i) {
				v.count(i, RoleAdmin)
			}
		case *Invite:
			if b.Admitter == b.Signer && v.admin(b.Signer, i) {
				v.count(i, RoleAdmin)
			}
		}
	}
}

// judgeAdmits is rules 2 to 4 for admits, in (depth, id) order. Those of admins
// come first, then those of services with the invites that name a service.
func (v *view) judgeAdmits(ordered []int, level Role) {
	for _, i := range ordered {
		if v.counts[i] || v.signer(i) == v.log.owner {
			continue
		}
		switch b := v.log.entries[i].body.(type) {
		case *Admit:
			if v.level(b) == level && (v.shielded[i] || v.admits(i, b, level)) {
				v.count(i, level)
			}
		case *Invite:
			if level == RoleService && b.Admitter != b.Signer &&
				v.admin(b.Signer, i) && v.serviceAt(b.Admitter, i) {
				v.count(i, RoleAdmin)
			}
		}
	}
}

// level tells as what an admit was signed: as a service's, if another's invite
// names the signer, else as an admin's.
func (v *view) level(a *Admit) Role {
	if inv := v.invite(a); inv >= 0 && v.signer(inv) != a.Signer {
		return RoleService
	}
	return RoleAdmin
}

// invite is the index of the invite that an admit uses up, or -1.
func (v *view) invite(a *Admit) int {
	if a.Invite.IsZero() {
		return -1
	}
	i, _ := v.graph().Index(a.Invite)
	return i
}

// admits tells whether the admit a at i counts.
func (v *view) admits(i int, a *Admit, level Role) bool {
	if inv := v.invite(a); inv >= 0 {
		if !v.counts[inv] || !v.open(i) || !v.admin(v.signer(inv), i) {
			return false
		}
	}
	entitled := level == RoleAdmin && v.admin(a.Signer, i) ||
		level == RoleService && v.service(a.Signer, i)
	return entitled && v.mayTouch(a.Claimed.Keys.Member, i)
}

// open is rule 4: an admit by an invite counts only if it was made before all
// that ends the invite, and if uses are left. What an admin ends does not bind
// the owner's own admits.
func (v *view) open(i int) bool {
	a := v.log.entries[i].body.(*Admit)
	inv := v.invite(a)
	if inv < 0 {
		return true
	}
	for _, end := range v.ends[a.Invite] {
		if !v.graph().Before(i, end) {
			return false
		}
	}
	return v.used[a.Invite] < v.log.entries[inv].body.(*Invite).Uses
}

// mayTouch is rule 3 for an entry at i below the owner about a person: void if
// it is about the owner, about somebody who was an admin at it, or concurrent
// with an owner's entry about the same person.
func (v *view) mayTouch(key ident.PublicKey, i int) bool {
	if key == v.log.owner || v.adminAt(key, i) {
		return false
	}
	for _, a := range v.acts[key] {
		if a.level == RoleOwner && v.graph().Concurrent(a.at, i) {
			return false
		}
	}
	return true
}
