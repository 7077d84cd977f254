package trust

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// rekey begins an epoch.
func (n *node) rekey(key byte) ident.ID {
	n.t.Helper()
	id := n.do(n.log.SignEpoch(n.key, [32]byte{key}, n.ring, n.now))
	if err := n.ring.Put(n.log, id, [32]byte{key}); err != nil {
		n.t.Fatalf("keep the key: %v", err)
	}
	return id
}

func (n *node) unlock() []ident.ID { return n.ring.Unlock(n.log, n.pub, n.open) }

func (n *node) wantKeys(what string, missing ...ident.ID) {
	n.t.Helper()
	var epochs []ident.ID
	for _, e := range n.log.epochs() {
		epochs = append(epochs, e.ID())
	}
	if got := sorted(n.ring.Missing(epochs)); !slices.Equal(got, sorted(missing)) && len(got)+len(missing) > 0 {
		n.t.Errorf("%s: %s lacks the keys of %v, want %v", what, n.name, got, missing)
	}
}

func TestEffectiveKey(t *testing.T) {
	a, b := ident.ID{1}, ident.ID{2}
	if EpochID([]ident.ID{b, a}) != EpochID([]ident.ID{a, b}) || EpochID([]ident.ID{a}) == EpochID([]ident.ID{a, b}) {
		t.Error("an epoch's id is not that of the set")
	}
	if want := ident.ID(sha256.Sum256(append(a[:], b[:]...))); EpochID([]ident.ID{b, a}) != want {
		t.Error("an epoch's id is not SHA-256 of the sorted ids")
	}
	k1, k2 := [32]byte{1}, [32]byte{2}
	if want := ident.KDF(append(k1[:], k2[:]...), "effective"); EffectiveKey(k1, k2) != want {
		t.Error("the effective key is not KDF of the keys in order")
	}
	m := ident.MeshID{1}
	keys := [][32]byte{TagKey(k1, m), IDSecret(k1, m), EffectiveKey(k1), TagKey(k1, ident.MeshID{2})}
	for i := range keys {
		if slices.Contains(keys[:i], keys[i]) {
			t.Errorf("derived key %d equals another", i)
		}
	}
}

func TestRemovalCarriesTheEpoch(t *testing.T) {
	o := found(t)
	first := o.log.Entries()[0].ID()
	o.admit("bob", RoleMember)
	o.admit("cat", RoleMember)
	bob := o.as("bob")
	mustT(t, bob.ring.Put(bob.log, first, [32]byte{0xee})) // as a welcome gives it
	removed := o.remove("bob")
	if s := o.log.State(); !s.Clean() || !slices.Equal(s.EpochHeads, []ident.ID{removed}) {
		t.Fatalf("after a removal: unclean %v, heads %v", s.Unclean, s.EpochHeads)
	}
	cat := o.as("cat")
	cat.unlock()
	cat.wantKeys("the newest gives all")
	bob.learn(o)
	bob.unlock()
	bob.wantKeys("a removed member", removed)
	if _, _, err := bob.ring.Effective(bob.log.State().EpochHeads); !errors.Is(err, ErrNoKey) {
		t.Errorf("a removed member has the effective key: %v", err)
	}
	want, key, err := o.ring.Effective(o.log.State().EpochHeads)
	mustT(t, err)
	if id, got, err := cat.ring.Effective(cat.log.State().EpochHeads); err != nil || got != key || id != want || id != o.log.State().Epoch() {
		t.Errorf("cat's effective key differs: %v", err)
	}
	if got, err := cat.ring.Epoch0(cat.log); err != nil || got != [32]byte{0xee} {
		t.Errorf("epoch 0: %x, %v", got, err)
	}
}

// TestConcurrentRemovals: two admins each remove somebody; each removed one
// lacks the other epoch, and the effective key takes both.
func TestConcurrentRemovals(t *testing.T) {
	o := found(t)
	zero := o.log.Entries()[0].ID()
	o.admit("ann", RoleAdmin)
	o.admit("bob", RoleMember)
	o.admit("cat", RoleMember)
	ann := o.as("ann")
	mustT(t, ann.ring.Put(ann.log, zero, [32]byte{0xee}))
	byOwner, byAnn := o.remove("bob"), ann.remove("cat")
	o.learn(ann)
	ann.learn(o)
	if s := o.log.State(); !slices.Equal(s.EpochHeads, sorted([]ident.ID{byOwner, byAnn})) || !s.Clean() {
		t.Fatalf("heads %v, unclean %v", s.EpochHeads, s.Unclean)
	}
	o.unlock()
	ann.unlock()
	o.wantKeys("owner")
	ann.wantKeys("admin")
	bob, cat := o.as("bob"), o.as("cat")
	bob.unlock()
	cat.unlock()
	bob.wantKeys("removed by the owner", byOwner)
	cat.wantKeys("removed by ann", byAnn)
	_, k1, err := o.ring.Effective(o.log.State().EpochHeads)
	mustT(t, err)
	_, k2, err := ann.ring.Effective(ann.log.State().EpochHeads)
	mustT(t, err)
	if k1 != k2 {
		t.Error("the effective keys differ")
	}
	next := o.rekey(7)
	if s := o.log.State(); !slices.Equal(s.EpochHeads, []ident.ID{next}) {
		t.Errorf("an epoch over two heads leaves %v", s.EpochHeads)
	}
}

func TestClean(t *testing.T) {
	o := found(t)
	if !o.log.State().Clean() {
		t.Error("a new mesh is unclean")
	}
	o.admit("ann", RoleAdmin)
	o.admit("bob", RoleMember)
	bob := o.as("bob")
	bob.leave()
	o.learn(bob)
	if s := o.log.State(); !slices.Equal(s.Unclean, []ident.PublicKey{bob.pub}) {
		t.Fatalf("after a leave: %v", s.Unclean)
	}
	ann := o.as("ann")
	lost := ann.admit("cat", RoleMember)
	o.remove("ann") // excludes ann, and bob, who is no member
	if s := o.log.State(); !s.Clean() {
		t.Errorf("after a removal: %v", s.Unclean)
	}
	o.learn(ann)
	o.wantCounted("concurrent with the removal", false, lost)
	if s := o.log.State(); !slices.Equal(s.Unclean, []ident.PublicKey{who("cat").pub}) {
		t.Errorf("after a void admit: %v", s.Unclean)
	}
	o.rekey(3)
	if s := o.log.State(); !s.Clean() {
		t.Errorf("after an epoch: %v", s.Unclean)
	}
}

// An epoch that was made without somebody shuts it out only of its end then. Who is in
// after all is given that epoch's key by others; its next end needs a new one.
func TestAnEarlierEpochShutsNobodyOutAgain(t *testing.T) {
	o := found(t)
	o.admit("ann", RoleAdmin)
	o.admit("bob", RoleMember)
	ann := o.as("ann")
	byAnn := ann.remove("bob")
	o.do(o.log.SignRole(o.key, who("bob").pub, RoleService, o.now)) // concurrent: bob stays
	o.learn(ann)
	if s := o.log.State(); s.Role(who("bob").pub) != RoleService || !slices.Contains(s.EpochHeads, byAnn) {
		t.Fatalf("bob is %s, heads %v", s.Role(who("bob").pub), s.EpochHeads)
	}
	bob := o.as("bob")
	bob.leave()
	o.learn(bob)
	if s := o.log.State(); s.Clean() {
		t.Error("the epoch that bob was given counts as one that shuts it out")
	}
	o.rekey(5)
	if s := o.log.State(); !s.Clean() {
		t.Errorf("after an epoch: %v", s.Unclean)
	}
}

func TestEpochsOfTheRemovedDoNotCount(t *testing.T) {
	o := found(t)
	o.admit("ann", RoleAdmin)
	ann := o.as("ann")
	id := o.remove("ann")
	ann.rekey(9)
	o.learn(ann)
	if s := o.log.State(); !slices.Equal(s.EpochHeads, []ident.ID{id}) {
		t.Errorf("heads %v", s.EpochHeads)
	}
}

func TestRekeyTurn(t *testing.T) {
	o := found(t)
	o.admit("ann", RoleAdmin)
	o.admit("bob", RoleAdmin)
	o.admit("cat", RoleMember)
	s := o.log.State()
	turns := map[int]bool{}
	for _, name := range []string{"owner", "ann", "bob"} {
		turn, ok := s.RekeyTurn(who(name).pub)
		if !ok || turns[turn] || turn > 2 || (turn == 0) != (name == "owner") {
			t.Errorf("%s has turn %d, %v", name, turn, ok)
		}
		turns[turn] = true
	}
	if _, ok := s.RekeyTurn(who("cat").pub); ok {
		t.Error("a member has a turn")
	}
}

func TestKeyringTakesNoWrongKey(t *testing.T) {
	o := found(t)
	zero := o.log.Entries()[0].ID()
	r := NewKeyring()
	if err := r.Put(o.log, zero, [32]byte{1}); !errors.Is(err, ErrKey) {
		t.Errorf("another key: %v", err)
	}
	if err := r.Put(o.log, ident.ID{9}, [32]byte{0xee}); !errors.Is(err, ErrKey) {
		t.Errorf("another entry: %v", err)
	}
	inv := o.inviteFor(RoleMember, 1, "owner")
	if err := r.Put(o.log, inv, [32]byte{0xee}); !errors.Is(err, ErrKey) {
		t.Errorf("an entry without an epoch: %v", err)
	}
	if _, err := r.Epoch0(o.log); !errors.Is(err, ErrNoKey) {
		t.Errorf("epoch 0 of an empty ring: %v", err)
	}
	mustT(t, r.Put(o.log, zero, [32]byte{0xee}))
	if got := fmt.Sprintf("%v %+v %#v %x", r, r, r, r); strings.Contains(got, "238") || strings.Contains(got, "ee") && !strings.Contains(got, "key") {
		t.Errorf("a keyring prints as %s", got)
	}
	if !reflect.DeepEqual(r.Keys(), map[ident.ID][32]byte{zero: {0xee}}) {
		t.Errorf("keys %v", r.Keys())
	}
}

func TestWrapIsForOneMember(t *testing.T) {
	ann, bob, key := who("ann"), who("bob"), [32]byte{5}
	w, err := WrapKey(ident.MeshID{1}, ann.keys, key)
	mustT(t, err)
	commit := CommitKey(key)
	if got, err := OpenWrap(ident.MeshID{1}, w, ann.seed.Seal(), commit); err != nil || got != key {
		t.Errorf("OpenWrap = %x, %v", got, err)
	}
	if _, err := OpenWrap(ident.MeshID{1}, w, bob.seed.Seal(), commit); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another's key: %v", err)
	}
	if _, err := OpenWrap(ident.MeshID{2}, w, ann.seed.Seal(), commit); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another mesh: %v", err)
	}
	if _, err := OpenWrap(ident.MeshID{1}, w, ann.seed.Seal(), CommitKey([32]byte{6})); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another commitment: %v", err)
	}
}

// TestKeyringOpensWhatItShould: through random admissions, epochs and removals
// a member always gets all keys from the newest, and a removed one never one
// that was made for others.
func TestKeyringOpensWhatItShould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := found(t)
		people := []string{"ann", "bob", "cat"}
		allowed := map[string]map[ident.ID]bool{} // all that was wrapped for somebody, and what led there
		for _, p := range people {
			allowed[p] = map[ident.ID]bool{}
		}
		epochs := []ident.ID{o.log.Entries()[0].ID()}
		grant := func(name string) { // a member may know all keys there are
			for _, id := range epochs {
				allowed[name][id] = true
			}
		}
		for step := range rapid.IntRange(3, 7).Draw(t, "steps") {
			name := rapid.SampledFrom(people).Draw(t, "who")
			in := o.role(name) != RoleNone
			switch {
			case rapid.IntRange(0, 3).Draw(t, "epoch") == 0:
				epochs = append(epochs, o.rekey(byte(step+1)))
			case in:
				epochs = append(epochs, o.remove(name))
			default:
				o.admit(name, RoleMember)
			}
			for _, p := range people {
				if o.role(p) != RoleNone {
					grant(p)
				}
			}
		}
		for _, p := range people {
			n := o.as(p)
			if heads := n.log.State().EpochHeads; o.role(p) != RoleNone { // as a welcome gives them
				for _, id := range heads {
					key, _ := o.ring.Get(id)
					if err := n.ring.Put(n.log, id, key); err != nil {
						t.Fatal(err)
					}
				}
			}
			n.unlock()
			for _, id := range epochs {
				_, has := n.ring.Get(id)
				if has && !allowed[p][id] {
					t.Fatalf("%s opened an epoch that was made without it", p)
				}
				if !has && o.role(p) != RoleNone {
					t.Fatalf("%s is a member and lacks an epoch's key", p)
				}
			}
		}
	})
}
