package trust

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestLogBegins(t *testing.T) {
	o := found(t)
	g := o.log.Entries()[0]
	if o.log.Mesh() != g.ID().Mesh() || o.log.Owner() != o.pub {
		t.Error("mesh id or owner are not genesis's")
	}
	forged := g
	forged.stmt.Sigs = [][64]byte{{1}}
	if _, err := NewLog(forged); !errors.Is(err, ident.ErrSignature) {
		t.Errorf("forged genesis: %v", err)
	}
	inv, err := o.log.SignInvite(o.key, Invite{Key: o.pub, Role: RoleMember, Uses: 1}, o.now)
	mustT(t, err)
	if _, err := NewLog(inv); !errors.Is(err, ErrKind) {
		t.Errorf("a log that begins with an invite: %v", err)
	}
	other, err := CreateGenesis(who("ann").seed, "x", "ann", start, [32]byte{})
	mustT(t, err)
	if _, err := o.log.Add(other); !errors.Is(err, ErrRefused) {
		t.Errorf("a second genesis: %v", err)
	}
	if _, err := o.log.Add(Entry{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("no entry: %v", err)
	}
	again, err := CreateGenesis(o.seed, "test", "owner", start, [32]byte{0xee})
	mustT(t, err)
	if again.ID() == g.ID() {
		t.Error("two meshes of one owner have one id")
	}
}

func TestAddWaitsForParents(t *testing.T) {
	o := found(t)
	o.admit("ann", RoleMember)
	o.admit("bob", RoleMember)
	entries := o.log.Entries()
	l, err := NewLog(entries[0])
	mustT(t, err)
	for _, e := range slices.Backward(entries[2:]) {
		added, err := l.Add(e)
		if err != nil || len(added) != 0 || l.Has(e.ID()) {
			t.Fatalf("an entry without parents: %v, %v", added, err)
		}
	}
	if got := l.Wanted(); !slices.Equal(got, []ident.ID{entries[1].ID()}) {
		t.Errorf("wanted %v", got)
	}
	if got := l.Missing([]ident.ID{entries[0].ID(), entries[1].ID(), entries[2].ID()}); len(got) != 2 {
		t.Errorf("missing %v", got)
	}
	added, err := l.Add(entries[1])
	if err != nil || !reflect.DeepEqual(added, entries[1:]) {
		t.Fatalf("the last missing one added %d of %d, %v", len(added), len(entries)-1, err)
	}
	if l.size != 0 || len(l.pending) != 0 || len(l.waiting) != 0 {
		t.Errorf("still waiting: %d bytes, %v, %v", l.size, l.pending, l.waiting)
	}
	if added, err := l.Add(entries[1]); err != nil || added != nil {
		t.Errorf("again: %v, %v", added, err)
	}
	if _, err := LoadLog([]Entry{entries[0], entries[2]}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a log with a gap was loaded: %v", err)
	}
}

func TestPendingIsBounded(t *testing.T) {
	o := found(t)
	ann := who("ann")
	var err error
	for i := range maxPending + 1 {
		b := &Leave{Head: Head{Signer: ann.pub, Parents: []ident.ID{{1, byte(i), byte(i >> 8)}}, Time: start}}
		e, signErr := signEntry(o.log.mesh, ann.key, b, nil, nil)
		mustT(t, signErr)
		o.log.mu.Lock()
		_, err = o.log.add(e)
		o.log.mu.Unlock()
	}
	if !errors.Is(err, ErrFull) {
		t.Errorf("the last one too many: %v", err)
	}
	o.admit("ann", RoleMember) // what needs nothing still goes in
	o.want("full", map[string]Role{"ann": RoleMember})
}

func TestRefused(t *testing.T) {
	o := found(t)
	o.admit("ann", RoleAdmin)
	inv := o.inviteFor(RoleMember, 2, "owner")
	ann, bob, dan := o.as("ann"), o.as("bob"), o.as("dan")
	badClaim := func(change func(a *Admit)) Entry {
		a := *o.rawAdmit("bob", inv, o.person, RoleMember).Body().(*Admit)
		change(&a)
		return o.raw(&a)
	}
	cases := []struct {
		name string
		e    Entry
	}{
		{"role by an admin", ann.raw(&RoleChange{Head: ann.head(), Member: bob.pub, Role: RoleMember})},
		{"void by an admin", ann.raw(&Void{Head: ann.head(), Entries: []ident.ID{inv}})},
		{"leave of the owner", o.raw(&Leave{Head: o.head()})},
		{"an admin's invite for an admin", ann.raw(&Invite{Head: ann.head(), Key: ann.pub, Role: RoleAdmin, Uses: 1, Admitter: ann.pub})},
		{"an admin's admit of an admin", ann.rawAdmit("bob", inv, o.person, RoleAdmin)},
		{"a stranger", dan.raw(&Set{Head: dan.head(), Key: "k"})},
		{"an admit by another than the admitter", ann.rawAdmit("bob", inv, o.person, RoleMember)},
		{"an admit with another role than the invite's", o.rawAdmit("bob", inv, o.person, RoleService)},
		{"an admit with a claim signed by another invite's key", o.rawAdmit("bob", inv, ann.person, RoleMember)},
		{"an admit by an invite that is none", badClaim(func(a *Admit) {
			id := o.log.Entries()[0].ID()
			a.Claim, a.Invite = o.claim("bob", id, o.person), id
		})},
		{"an admit by an unknown invite", badClaim(func(a *Admit) {
			a.Claim, a.Invite = o.claim("bob", ident.ID{5}, o.person), ident.ID{5}
		})},
		{"an admit by an old claim that does not verify", badClaim(func(a *Admit) {
			a.Claim, a.Invite = o.claim("bob", inv, ann.person), ident.ID{}
		})},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := o.log.Add(c.e); !errors.Is(err, ErrRefused) {
				t.Errorf("Add = %v", err)
			}
			// What waits for it goes with it.
			child := &Set{Head: Head{Signer: o.pub, Parents: []ident.ID{c.e.ID()}, Time: start}, Key: "k"}
			waits := o.raw(child)
			if _, err := o.log.Add(waits); err != nil {
				t.Fatal(err)
			}
			if _, err := o.log.Add(c.e); !errors.Is(err, ErrRefused) {
				t.Errorf("Add again = %v", err)
			}
			if o.log.Has(c.e.ID()) || o.log.Has(waits.ID()) {
				t.Error("it is in the log")
			}
		})
	}
	forged := o.raw(&Set{Head: o.head(), Key: "k"})
	forged.stmt.Sigs[0][3] ^= 1
	if _, err := o.log.Add(forged); !errors.Is(err, ident.ErrSignature) {
		t.Errorf("forged: %v", err)
	}
}

func TestBeyondAndPast(t *testing.T) {
	o := found(t)
	o.admit("ann", RoleAdmin)
	o.admit("bob", RoleMember)
	ann := o.as("ann")
	id := o.do(o.log.SignSet(o.key, "k", "v", o.now))
	ann.do(ann.log.SignSet(ann.key, "k", "w", ann.now))
	heads := ann.log.Heads()
	if got := o.log.Beyond(heads); len(got) != o.log.Len() {
		t.Errorf("beyond an unknown head: %d entries of %d", len(got), o.log.Len())
	}
	common := o.log.Past(id)
	if common[len(common)-1].ID() != id || len(common) != o.log.Len() {
		t.Errorf("past of the last: %d of %d", len(common), o.log.Len())
	}
	o.learn(ann)
	got := o.log.Beyond(heads)
	if len(got) != 1 || got[0].ID() != id {
		t.Errorf("what ann lacks: %d entries", len(got))
	}
	if got := o.log.Beyond(nil); len(got) != o.log.Len() {
		t.Errorf("beyond nothing: %d of %d", len(got), o.log.Len())
	}
	if got := o.log.Past(ident.ID{1}); got != nil {
		t.Errorf("past of nothing: %v", got)
	}
	for _, e := range got {
		ann.add(e)
	}
	if !slices.Equal(ann.log.Heads(), o.log.Heads()) {
		t.Error("after the exchange the heads differ")
	}
}

func TestManyHeads(t *testing.T) {
	o := found(t)
	base := o.head()
	for i := range MaxParents + 5 {
		o.add(o.raw(&Set{Head: base, Key: "k", Value: string(rune('a' + i))}))
	}
	if got := len(o.log.Heads()); got != MaxParents+5 {
		t.Fatalf("%d heads", got)
	}
	o.do(o.log.SignSet(o.key, "k", "all", o.now))
	o.do(o.log.SignSet(o.key, "k", "all", o.now))
	if got := o.log.Heads(); len(got) != 1 {
		t.Errorf("two entries later there are %d heads", len(got))
	}
	wantSetting(t, o, "all")
}

func TestSignRefuses(t *testing.T) {
	o := found(t)
	o.admit("ann", RoleAdmin)
	o.admit("bob", RoleMember)
	o.admit("relay", RoleService)
	one := o.inviteFor(RoleMember, 1, "owner")
	old := o.do(o.log.SignInvite(o.key, Invite{Key: o.invite.Public(), Role: RoleMember, Uses: 1, Expires: start.Add(-time.Hour)}, o.now))
	ended := o.inviteFor(RoleMember, 1, "owner")
	o.do(o.log.SignUninvite(o.key, []ident.ID{ended}, o.now))
	ann, bob := who("ann"), who("bob")
	l := o.log
	p := func(names ...string) (out []Principal) {
		for _, n := range names {
			out = append(out, Principal(who(n).pub))
		}
		return out
	}
	admit := func(signer person, name string, inv ident.ID, change func(a *Admit)) error {
		a := Admit{Claim: o.claim(name, inv, o.person), Name: name, Invite: inv}
		change(&a)
		return second(l.SignAdmit(signer.key, a, o.now))
	}
	keep := func(*Admit) {}
	cases := []struct {
		name string
		err  error
		want error
	}{
		{"invite by a member", second(l.SignInvite(bob.key, Invite{Key: bob.pub, Role: RoleMember, Uses: 1}, o.now)), ErrDenied},
		{"invite for an admin by an admin", second(l.SignInvite(ann.key, Invite{Key: bob.pub, Role: RoleAdmin, Uses: 1}, o.now)), ErrDenied},
		{"invite admitted by a member", second(l.SignInvite(ann.key, Invite{Key: bob.pub, Role: RoleMember, Uses: 1, Admitter: bob.pub}, o.now)), ErrInvalid},
		{"invite with no uses", second(l.SignInvite(ann.key, Invite{Key: bob.pub, Role: RoleMember}, o.now)), ErrInvalid},
		{"uninvite by a member", second(l.SignUninvite(bob.key, []ident.ID{one}, o.now)), ErrDenied},
		{"uninvite of too many", second(l.SignUninvite(ann.key, make([]ident.ID, MaxIDs+1), o.now)), ErrTooMany},
		{"admit by another", admit(ann, "cat", one, keep), ErrInvite},
		{"admit of a member", admit(o.person, "bob", one, keep), ErrMember},
		{"admit by an unknown invite", admit(o.person, "cat", ident.ID{3}, keep), ErrInvite},
		{"admit by an expired invite", admit(o.person, "cat", old, keep), ErrInvite},
		{"admit by an ended invite", admit(o.person, "cat", ended, keep), ErrInvite},
		{"admit with another role", admit(o.person, "cat", one, func(a *Admit) { a.Role = RoleService }), ErrInvite},
		{"admit by another invite than the claim's", admit(o.person, "cat", one, func(a *Admit) { a.Invite = old }), ErrInvite},
		{"admit by a forged claim", admit(o.person, "cat", one, func(a *Admit) { a.Claim = o.claim("cat", one, ann) }), ident.ErrSignature},
		{"admit without an invite by a member", admit(bob, "cat", one, func(a *Admit) { a.Invite, a.Role = ident.ID{}, RoleMember }), ErrDenied},
		{"admit of an admin by an admin", admit(ann, "cat", one, func(a *Admit) { a.Invite, a.Role = ident.ID{}, RoleAdmin }), ErrDenied},
		{"admit with a bad name", admit(o.person, "cat", one, func(a *Admit) { a.Name = "a\x00" }), ErrName},
		{"role by an admin", second(l.SignRole(ann.key, bob.pub, RoleService, o.now)), ErrDenied},
		{"role of nobody", second(l.SignRole(o.key, who("cat").pub, RoleService, o.now)), ErrNotMember},
		{"role owner", second(l.SignRole(o.key, bob.pub, RoleOwner, o.now)), ErrInvalid},
		{"remove by a member", second(l.SignRemove(bob.key, Removal{Targets: p("relay")}, o.ring, o.now)), ErrDenied},
		{"remove of an admin by an admin", second(l.SignRemove(ann.key, Removal{Targets: p("owner")}, o.ring, o.now)), ErrDenied},
		{"remove of oneself", second(l.SignRemove(o.key, Removal{Targets: p("owner")}, o.ring, o.now)), ErrDenied},
		{"remove of too many", second(l.SignRemove(o.key, Removal{Targets: make([]Principal, MaxTargets+1)}, o.ring, o.now)), ErrTooMany},
		{"leave of the owner", second(l.SignLeave(o.key, nil, o.now)), ErrDenied},
		{"leave of nobody", second(l.SignLeave(who("cat").key, nil, o.now)), ErrNotMember},
		{"epoch by a member", second(l.SignEpoch(bob.key, [32]byte{}, o.ring, o.now)), ErrDenied},
		{"set by a member", second(l.SignSet(bob.key, "k", "v", o.now)), ErrDenied},
		{"set without a key", second(l.SignSet(ann.key, "", "v", o.now)), ErrInvalid},
		{"set of a long value", second(l.SignSet(ann.key, "k", strings.Repeat("x", MaxSettingValue+1), o.now)), ident.ErrTooLarge},
		{"void by an admin", second(l.SignVoid(ann.key, []ident.ID{one}, o.now)), ErrDenied},
		{"void of the owner's", second(l.SignVoid(o.key, []ident.ID{one}, o.now)), ErrInvalid},
		{"void of too many", second(l.SignVoid(o.key, make([]ident.ID, MaxIDs+1), o.now)), ErrTooMany},
	}
	for _, c := range cases {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	o.do(o.admitWith("cat", one, o.person))
	if err := admit(o.person, "dan", one, keep); !errors.Is(err, ErrInvite) {
		t.Errorf("admit by a used up invite: %v", err)
	}
}

func TestStateTells(t *testing.T) {
	o := found(t)
	s := o.log.State()
	if me, ok := s.Member(o.pub); !ok || me.Role != RoleOwner || me.Name != "owner" || s.Name != "test" || !s.Created.Equal(start) {
		t.Errorf("the owner is %+v", me)
	}
	one, many := o.inviteFor(RoleMember, 1, "owner"), o.inviteFor(RoleMember, 5, "owner")
	o.do(o.admitWith("bob", many, o.person))
	s = o.log.State()
	bob, _ := s.Member(who("bob").pub)
	if bob.Invite != many || bob.By != o.pub || string(bob.Peer) != "peer-bob" || !reflect.DeepEqual(bob.Keys, who("bob").keys) {
		t.Errorf("bob is %+v", bob)
	}
	if got := s.OpenMultiUse(); !slices.Equal(got, []ident.ID{many}) {
		t.Errorf("open multi-use invites %v", got)
	}
	if inv := s.Invites[many]; inv.Used != 1 || !inv.Open() || s.Invites[one].Used != 0 {
		t.Errorf("invite %+v", inv)
	}
	if s.FreeName("bob") != "bob-2" || s.FreeName("ann") != "ann" {
		t.Errorf("free names %q, %q", s.FreeName("bob"), s.FreeName("ann"))
	}
	if o.log.State() != s {
		t.Error("the state is worked out anew without need")
	}
}

func BenchmarkLoad(b *testing.B) {
	o := found(b)
	for range 200 {
		o.inviteFor(RoleMember, 1, "owner")
	}
	var raw [][]byte
	for _, e := range o.log.Entries() {
		raw = append(raw, e.Marshal())
	}
	for b.Loop() {
		var entries []Entry
		for _, r := range raw {
			e, err := ParseEntry(r)
			if err != nil {
				b.Fatal(err)
			}
			entries = append(entries, e)
		}
		if _, err := LoadLog(entries); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkState(b *testing.B) {
	o := found(b)
	o.admit("ann", RoleAdmin)
	for range 200 {
		o.do(o.log.SignSet(o.key, "k", "v", o.now))
		o.inviteFor(RoleMember, 1, "owner")
	}
	for b.Loop() {
		o.log.mu.Lock()
		o.log.state = nil
		o.log.mu.Unlock()
		o.log.State()
	}
}
