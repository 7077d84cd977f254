package trust

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// history drives several persons, each with an own log that it syncs now and
// then, through random admissions, promotions, removals, voids and the rest:
// by the Sign methods on what they know, and raw, on old states too, as a
// cheater would.
type history struct {
	t     *rapid.T
	names []string
	nodes map[string]*node
	old   []*node // copies of earlier states
	all   map[ident.ID]Entry
	order []ident.ID
	now   time.Time
	apart map[string]int // which part of a divided network each is in
}

func newHistory(t *rapid.T) *history {
	o := found(t)
	h := &history{t: t, names: []string{"owner", "ann", "bob", "cat", "relay"}, nodes: map[string]*node{}, all: map[ident.ID]Entry{}, now: start}
	// Most of what is interesting needs an admin, a service and their invites.
	o.admit("ann", RoleAdmin)
	o.admit("relay", RoleService)
	ann := o.as("ann")
	ann.inviteFor(RoleMember, 1, "ann")
	ann.inviteFor(RoleMember, 2, "relay")
	o.learn(ann)
	o.inviteFor(RoleMember, 1, "relay")
	for _, e := range o.log.Entries()[1:] {
		h.all[e.ID()] = e
		h.order = append(h.order, e.ID())
	}
	for _, name := range h.names {
		h.nodes[name] = o.as(name)
	}
	h.nodes["owner"] = o
	for _, name := range []string{"owner", "ann", "relay"} {
		h.old = append(h.old, o.as(name))
	}
	return h
}

func (h *history) pick(label string) string { return rapid.SampledFrom(h.names).Draw(h.t, label) }

// take keeps an entry that n made.
func (h *history) take(n *node, e Entry, err error) {
	if err != nil {
		return
	}
	if _, err := n.log.Add(e); err != nil {
		return
	}
	if _, seen := h.all[e.ID()]; !seen && n.log.Has(e.ID()) {
		h.all[e.ID()] = e
		h.order = append(h.order, e.ID())
	}
}

// step lets somebody do something.
func (h *history) step() {
	h.now = h.now.Add(time.Second)
	n := h.nodes[h.pick("actor")]
	if len(h.old) > 0 && rapid.IntRange(0, 2).Draw(h.t, "old") == 0 {
		n = rapid.SampledFrom(h.old).Draw(h.t, "copy")
	}
	n.now = h.now
	switch rapid.IntRange(0, 11).Draw(h.t, "action") {
	case 0, 1:
		h.sync(n)
	case 2:
		h.old = append(h.old, n.as(n.name))
	case 3, 4, 5:
		h.admit(n)
	case 6:
		h.role(n)
	case 7, 8:
		h.remove(n)
	case 9:
		h.takeSign(n, func() (Entry, error) { return n.log.SignLeave(n.key, nil, n.now) },
			func() Body { return &Leave{Head: n.head()} })
	case 10:
		key := rapid.SampledFrom([]string{"a", "b"}).Draw(h.t, "setting")
		h.takeSign(n, func() (Entry, error) { return n.log.SignSet(n.key, key, n.name, n.now) },
			func() Body { return &Set{Head: n.head(), Key: key, Value: n.name} })
	case 11:
		h.strike(n)
	}
}

// takeSign makes an entry by a Sign method or, sometimes, raw.
func (h *history) takeSign(n *node, sign func() (Entry, error), raw func() Body) {
	if rapid.IntRange(0, 3).Draw(h.t, "raw") > 0 {
		e, err := sign()
		h.take(n, e, err)
		return
	}
	e, err := signEntry(n.log.mesh, n.key, raw(), nil, nil)
	h.take(n, e, err)
}

func (h *history) sync(n *node) {
	other := h.nodes[h.pick("with")]
	if h.apart[n.name] != h.apart[other.name] {
		return
	}
	h.meet(n, other)
}

func (h *history) meet(n, other *node) {
	for _, e := range other.log.Beyond(n.log.Heads()) {
		if _, err := n.log.Add(e); err != nil {
			h.t.Fatalf("%s takes %s from %s: %v", n.name, e.Kind(), other.name, err)
		}
	}
	for _, e := range n.log.Beyond(other.log.Heads()) {
		if _, err := other.log.Add(e); err != nil {
			h.t.Fatalf("%s takes %s from %s: %v", other.name, e.Kind(), n.name, err)
		}
	}
}

// entriesOf are the ids of n's entries of one kind.
func entriesOf(n *node, kind ident.Kind) []ident.ID {
	var ids []ident.ID
	for _, e := range n.log.Entries() {
		if e.Kind() == kind {
			ids = append(ids, e.ID())
		}
	}
	return ids
}

// admit makes an invite, or admits somebody by one that is there.
func (h *history) admit(n *node) {
	invites := entriesOf(n, ident.KindInvite)
	if rapid.IntRange(0, 3).Draw(h.t, "own") > 0 { // mostly those it may use
		mine := slices.DeleteFunc(slices.Clone(invites), func(id ident.ID) bool {
			e, _ := n.log.Get(id)
			return e.Body().(*Invite).Admitter != n.pub
		})
		if len(mine) > 0 {
			invites = mine
		}
	}
	role := rapid.SampledFrom([]Role{RoleMember, RoleMember, RoleService, RoleAdmin}).Draw(h.t, "role")
	if len(invites) == 0 || rapid.IntRange(0, 2).Draw(h.t, "invite") == 0 {
		admitter := who(h.pick("admitter")).pub
		if rapid.Bool().Draw(h.t, "by itself") {
			admitter = n.pub
		}
		v := Invite{Key: n.invite.Public(), Role: role, Uses: rapid.IntRange(1, 2).Draw(h.t, "uses"), Admitter: admitter}
		h.takeSign(n, func() (Entry, error) { return n.log.SignInvite(n.key, v, n.now) },
			func() Body { v.Head = n.head(); return &v })
		return
	}
	id := rapid.SampledFrom(invites).Draw(h.t, "of")
	inv, _ := n.log.Get(id)
	name := rapid.SampledFrom([]string{"ann", "bob", "cat", "relay"}).Draw(h.t, "whom")
	body := inv.Body().(*Invite)
	a := Admit{Name: name, Role: body.Role, Invite: id}
	for _, p := range cast() {
		if p.pub == body.Signer {
			a.Claim = n.claim(name, id, p)
		}
	}
	if rapid.IntRange(0, 3).Draw(h.t, "old claim") == 0 {
		a.Invite, a.Role = ident.ID{}, role
	}
	h.takeSign(n, func() (Entry, error) { return n.log.SignAdmit(n.key, a, n.now) }, func() Body {
		a.Head, a.Claimed = n.head(), Claim{}
		return &a
	})
}

func (h *history) role(n *node) {
	member := who(h.pick("member")).pub
	role := rapid.SampledFrom([]Role{RoleMember, RoleService, RoleAdmin}).Draw(h.t, "role")
	h.takeSign(n, func() (Entry, error) { return n.log.SignRole(n.key, member, role, n.now) },
		func() Body { return &RoleChange{Head: n.head(), Member: member, Role: role} })
}

// remove removes somebody or ends an invite.
func (h *history) remove(n *node) {
	target := Principal(who(h.pick("target")).pub)
	var invites []ident.ID
	if all := entriesOf(n, ident.KindInvite); len(all) > 0 && rapid.Bool().Draw(h.t, "ends") {
		invites = []ident.ID{rapid.SampledFrom(all).Draw(h.t, "ended")}
		if rapid.Bool().Draw(h.t, "only") {
			h.takeSign(n, func() (Entry, error) { return n.log.SignUninvite(n.key, invites, n.now) },
				func() Body { return &Uninvite{Head: n.head(), Invites: invites} })
			return
		}
	}
	h.takeSign(n, func() (Entry, error) {
		key := [32]byte{byte(len(h.order)), byte(len(h.order) >> 8)}
		return n.log.SignRemove(n.key, Removal{Targets: []Principal{target}, Invites: invites, Key: key}, n.ring, n.now)
	}, func() Body {
		return &Remove{Head: n.head(), Targets: []Principal{target}, Keeps: make([][32]byte, 1), Invites: invites}
	})
}

func (h *history) strike(n *node) {
	var ids []ident.ID
	for _, e := range n.log.Entries() {
		if e.Signer() != n.log.owner {
			ids = append(ids, e.ID())
		}
	}
	if len(ids) == 0 {
		return
	}
	victim := []ident.ID{rapid.SampledFrom(ids).Draw(h.t, "victim")}
	h.takeSign(n, func() (Entry, error) { return n.log.SignVoid(n.key, victim, n.now) },
		func() Body { return &Void{Head: n.head(), Entries: victim} })
}

// merged is one log with all that was ever signed, added in the given order.
func (h *history) merged(order []ident.ID) *Log {
	genesis := h.nodes["owner"].log.Entries()[0]
	l, err := NewLog(genesis)
	if err != nil {
		h.t.Fatalf("new log: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range order { // the signatures were verified once already
		if _, err := l.add(h.all[id]); err != nil {
			h.t.Fatalf("add %s: %v", h.all[id].Kind(), err)
		}
	}
	return l
}

func runHistory(t *rapid.T) *history {
	h := newHistory(t)
	for range rapid.IntRange(10, 40).Draw(t, "steps") {
		h.step()
	}
	return h
}

// TestStateIsAFunctionOfTheSet: whatever the order of arrival, the state is the
// same, and what rules 1, 2 and 4 forbid is not in it.
func TestStateIsAFunctionOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := runHistory(t)
		l := h.merged(h.order)
		want := l.State()
		for range 2 {
			other := h.merged(rapid.Permutation(h.order).Draw(t, "order"))
			if !slices.Equal(other.Heads(), l.Heads()) || len(other.Wanted()) > 0 {
				t.Fatalf("the logs differ: heads %v and %v", other.Heads(), l.Heads())
			}
			if got := other.State(); !reflect.DeepEqual(got, want) {
				t.Fatalf("the states differ:\n%+v\n%+v", got, want)
			}
		}
		checkRule1(t, l)
		checkRule2(t, l)
		checkRule4(t, l)
		checkHolders(t, l)
	})
}

// TestRemovedAdminsAddNothing: whatever somebody removed or demoted by the owner
// signs on states that lack that, or on later ones, changes no other member, and
// no invite, setting or epoch.
func TestRemovedAdminsAddNothing(t *testing.T) {
	for what, end := range map[string]func(*node, ident.PublicKey) (Entry, error){
		"removed": func(o *node, who ident.PublicKey) (Entry, error) {
			return o.log.SignRemove(o.key, Removal{Targets: []Principal{Principal(who)}, Key: [32]byte{9}}, o.ring, o.now)
		},
		"demoted": func(o *node, who ident.PublicKey) (Entry, error) {
			return o.log.SignRole(o.key, who, RoleMember, o.now)
		},
	} {
		t.Run(what, func(t *testing.T) { endedAdminsAddNothing(t, end, what == "removed") })
	}
}

func endedAdminsAddNothing(t *testing.T, end func(*node, ident.PublicKey) (Entry, error), leaves bool) {
	rapid.Check(t, func(t *rapid.T) {
		h := runHistory(t)
		o := h.nodes["owner"]
		o.log = h.merged(h.order)
		name := rapid.SampledFrom([]string{"ann", "bob", "cat", "relay"}).Draw(t, "removed")
		copies := append(h.old, h.nodes[name], o.as(name))
		e, err := end(o, who(name).pub)
		if errors.Is(err, ErrNotMember) {
			return // nobody to demote
		}
		if err != nil {
			t.Fatal(err)
		}
		o.add(e)
		before := *o.log.State()
		for range rapid.IntRange(1, 10).Draw(t, "forgeries") {
			n := rapid.SampledFrom(copies).Draw(t, "from")
			n.person = who(name)
			n.now = start.AddDate(-1, 0, 0)
			was := len(h.order)
			h.admit(n)
			h.remove(n)
			if leaves { // a demoted one may still leave
				h.takeSign(n, func() (Entry, error) { return n.log.SignLeave(n.key, nil, n.now) },
					func() Body { return &Leave{Head: n.head()} })
			}
			h.takeSign(n, func() (Entry, error) { return n.log.SignSet(n.key, "a", "forged", n.now) },
				func() Body { return &Set{Head: n.head(), Key: "a", Value: "forged"} })
			for _, id := range h.order[was:] {
				if _, err := o.log.add(h.all[id]); err != nil {
					t.Fatal(err)
				}
			}
		}
		after := *o.log.State()
		// A void admit asks for an epoch, and a leave is among what ended its signer.
		after.Unclean, before.Unclean = nil, nil
		after.counted, before.counted = nil, nil
		delete(after.Gone, Principal(who(name).pub))
		delete(before.Gone, Principal(who(name).pub))
		if !reflect.DeepEqual(after, before) {
			t.Fatalf("entries of %s changed the state\n%+v\nto\n%+v", name, before, after)
		}
	})
}
