package trust

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// index of an entry, for the checks below.
func at(l *Log, id ident.ID) int {
	i, _ := l.graph.Index(id)
	return i
}

// checkRule1: the owner's entries count, but for admits and roles.
func checkRule1(t *rapid.T, l *Log) {
	for _, e := range l.Entries() {
		_, isAdmit := e.Body().(*Admit)
		_, isRole := e.Body().(*RoleChange)
		if e.Signer() == l.owner && !isAdmit && !isRole && !l.State().Counted(e.ID()) {
			t.Fatalf("the owner's %s does not count", e.Kind())
		}
	}
}

// checkRule2 judges each counted entry of an admin by brute force over the
// counted entries about its signer.
func checkRule2(t *rapid.T, l *Log) {
	s := l.State()
	for _, e := range l.Entries() {
		switch e.Body().(type) {
		case *Leave, *Admit:
			continue // a leave is one's own; admits may be a service's
		}
		if e.Signer() == l.owner || !s.Counted(e.ID()) {
			continue
		}
		if !entitledByBruteForce(l, e) {
			t.Fatalf("%s by somebody who was no admin, or no more, counts", e.Kind())
		}
	}
}

func entitledByBruteForce(l *Log, e Entry) bool {
	s, i := l.State(), at(l, e.ID())
	var grants, ends []int
	for _, d := range l.Entries() {
		if !s.Counted(d.ID()) {
			continue
		}
		switch b := d.Body().(type) {
		case *Admit:
			if b.Claimed.Keys.Member != e.Signer() || d.Signer() != l.owner {
				continue
			}
			grants, ends = sortByRole(b.Role, at(l, d.ID()), grants, ends)
		case *RoleChange:
			if b.Member == e.Signer() {
				grants, ends = sortByRole(b.Role, at(l, d.ID()), grants, ends)
			}
		case *Remove:
			if d.Signer() == l.owner && slices.Contains(b.Targets, Principal(e.Signer())) {
				ends = append(ends, at(l, d.ID()))
			}
		case *Leave:
			if b.Signer == e.Signer() {
				ends = append(ends, at(l, d.ID()))
			}
		}
	}
	g := &l.graph
	if !slices.ContainsFunc(grants, func(x int) bool { return g.Before(x, i) }) {
		return false
	}
	for _, d := range ends {
		regranted := slices.ContainsFunc(grants, func(x int) bool { return g.Before(d, x) && g.Before(x, i) })
		closed := false // by somebody else's end, and d is a leave that it had not seen
		if _, leave := l.entries[d].Body().(*Leave); leave {
			closed = slices.ContainsFunc(ends, func(x int) bool {
				return l.entries[x].Signer() == l.owner && g.Before(i, x) && !g.Before(d, x)
			})
		}
		if !g.Before(i, d) && !(g.Before(d, i) && regranted) && !(g.Concurrent(d, i) && closed) {
			return false
		}
	}
	return true
}

func sortByRole(role Role, i int, grants, ends []int) ([]int, []int) {
	if role == RoleAdmin {
		return append(grants, i), ends
	}
	return grants, append(ends, i)
}

// checkRule4: no invite admits more than its uses, unless the owner promoted
// whom it admitted, and none admits after it was ended.
func checkRule4(t *rapid.T, l *Log) {
	s := l.State()
	promoted := map[ident.PublicKey]bool{}
	for _, e := range l.Entries() {
		if b, ok := e.Body().(*RoleChange); ok && s.Counted(e.ID()) {
			promoted[b.Member] = true
		}
	}
	used := map[ident.ID]int{}
	for _, e := range l.Entries() {
		a, ok := e.Body().(*Admit)
		if !ok || !s.Counted(e.ID()) || a.Invite.IsZero() || promoted[a.Claimed.Keys.Member] {
			continue
		}
		used[a.Invite]++
		if _, counts := s.Invites[a.Invite]; !counts && a.Signer != l.owner { // whom the owner admits is in by rule 1
			t.Fatal("an invite that does not count admits")
		}
		inv, _ := l.Get(a.Invite)
		if used[a.Invite] > inv.Body().(*Invite).Uses {
			t.Fatalf("an invite admitted %d", used[a.Invite])
		}
		for _, u := range l.Entries() {
			un, ok := u.Body().(*Uninvite)
			if !ok || !s.Counted(u.ID()) || !slices.Contains(un.Invites, a.Invite) || a.Signer == l.owner && u.Signer() != l.owner {
				continue
			}
			if !l.graph.Before(at(l, e.ID()), at(l, u.ID())) {
				t.Fatal("an admit counts that its uninvite does not know of")
			}
		}
	}
}

// checkHolders: who is an admin by the state, and nobody else, can sign an
// entry that counts, on top of all that is known.
func checkHolders(t *rapid.T, l *Log) {
	s := l.State()
	probed := map[ident.ID]person{}
	all := l.Entries()
	for _, p := range cast() {
		if len(l.admits[p.pub]) == 0 || p.pub == l.owner {
			continue
		}
		probe := &Set{Head: l.head(p.key, start), Key: "probe", Value: p.name}
		e, err := signEntry(l.mesh, p.key, probe, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		probed[e.ID()] = p
		all = append(all, e)
	}
	other, err := NewLog(all[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all[1:] {
		if _, err := other.add(e); err != nil {
			t.Fatal(err)
		}
	}
	after := other.State()
	for id, p := range probed {
		if can := after.Counted(id); can != (s.Role(p.pub) == RoleAdmin) {
			t.Fatalf("%s is %s and its entry counts: %v", p.name, s.Role(p.pub), can)
		}
	}
}
