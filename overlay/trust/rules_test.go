package trust

import (
	"reflect"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// TestRules has one case for each sentence of docs/trust.md section 3. Each
// ends with the same entries in the worst order giving the same state.
func TestRules(t *testing.T) {
	type roles = map[string]Role
	cases := []struct {
		rule string
		run  func(t *testing.T, o *node)
	}{
		{"rule 1: the owner's entries count, whoever is concurrent", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleMember)
			ann := o.as("ann")
			set := o.do(o.log.SignSet(o.key, "k", "owner", o.now))
			inv := o.inviteFor(RoleMember, 1, "owner")
			ann.do(ann.log.SignSet(ann.key, "k", "ann", ann.now))
			o.learn(ann)
			o.wantCounted("rule 1", true, set, inv)
		}},
		{"rule 1: void strikes entries of others, and what comes later by them", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			ann := o.as("ann")
			bob := ann.admit("bob", RoleMember)
			cat := ann.admit("cat", RoleMember)
			o.learn(ann)
			o.want("before", roles{"bob": RoleMember, "cat": RoleMember})
			o.do(o.log.SignVoid(o.key, []ident.ID{bob}, o.now))
			o.want("rule 1", roles{"ann": RoleAdmin, "bob": RoleNone, "cat": RoleMember})
			o.wantCounted("rule 1", false, bob)
			o.wantCounted("rule 1", true, cat)
			if o.log.State().Clean() {
				t.Error("a struck admit leaves the log unclean")
			}
		}},
		{"rule 1: void strikes an entry that arrives after it", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			ann := o.as("ann")
			id := ann.do(ann.log.SignSet(ann.key, "k", "v", ann.now))
			void := o.raw(&Void{Head: o.head(), Entries: []ident.ID{id}})
			o.add(void)
			o.learn(ann)
			o.wantCounted("rule 1", false, id)
		}},
		{"rule 1: void does not strike the owner's own", func(t *testing.T, o *node) {
			id := o.do(o.log.SignSet(o.key, "k", "v", o.now))
			if _, err := o.log.SignVoid(o.key, []ident.ID{id}, o.now); err == nil {
				t.Error("SignVoid took the owner's own entry")
			}
			o.add(o.raw(&Void{Head: o.head(), Entries: []ident.ID{id}}))
			o.wantCounted("rule 1", true, id)
		}},
		{"rule 1: a struck removal brings its member back", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleMember)
			ann := o.as("ann")
			id := ann.remove("bob")
			o.learn(ann)
			o.want("before", roles{"bob": RoleNone})
			o.do(o.log.SignVoid(o.key, []ident.ID{id}, o.now))
			o.want("rule 1", roles{"bob": RoleMember})
		}},
		{"rule 2: what is concurrent with a demotion is lost", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			ann := o.as("ann")
			before := ann.admit("bob", RoleMember)
			o.learn(ann)
			o.setRole("ann", RoleMember)
			late := ann.admit("cat", RoleMember)
			set := ann.do(ann.log.SignSet(ann.key, "k", "v", ann.now))
			o.learn(ann)
			o.want("rule 2", roles{"ann": RoleMember, "bob": RoleMember, "cat": RoleNone})
			o.wantCounted("whom it admitted before stays", true, before)
			o.wantCounted("rule 2", false, late, set)
		}},
		{"rule 2: what is concurrent with a removal is lost", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			ann := o.as("ann")
			o.remove("ann")
			late := ann.admit("cat", RoleMember)
			o.learn(ann)
			o.want("rule 2", roles{"ann": RoleNone, "cat": RoleNone})
			o.wantCounted("rule 2", false, late)
		}},
		{"rule 2: what is concurrent with one's own leave is lost", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			ann, twin := o.as("ann"), o.as("ann")
			ann.leave()
			late := twin.admit("cat", RoleMember)
			o.learn(ann, twin)
			o.want("rule 2", roles{"ann": RoleNone, "cat": RoleNone})
			o.wantCounted("rule 2", false, late)
		}},
		{"rule 2: a removed admin cannot take back what it did by a leave", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("relay", RoleService)
			old, oldRelay := o.as("ann"), o.as("relay")
			ann := o.as("ann")
			bob := ann.admit("bob", RoleMember)
			o.learn(ann)
			inv := o.inviteFor(RoleMember, 1, "relay")
			relay := o.as("relay")
			cat := relay.do(relay.admitWith("cat", inv, o.person))
			o.learn(relay)
			o.setRole("ann", RoleMember)
			o.remove("relay")
			old.leave()
			oldRelay.leave()
			o.learn(old, oldRelay)
			o.want("rule 2", roles{"ann": RoleNone, "bob": RoleMember, "relay": RoleNone, "cat": RoleMember})
			o.wantCounted("rule 2", true, bob, cat)
		}},
		{"rule 2: nothing can be dated back", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			old := o.as("ann") // a copy from before
			o.admit("bob", RoleMember)
			o.do(o.log.SignSet(o.key, "k", "v", o.now))
			o.remove("ann")
			old.now = start.AddDate(-1, 0, 0)
			late := old.admit("cat", RoleMember)
			o.learn(old)
			o.want("rule 2", roles{"cat": RoleNone})
			o.wantCounted("rule 2", false, late)
		}},
		{"rule 2: an end that the entry knows of ends it too", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.setRole("ann", RoleMember)
			ann := o.as("ann")
			set := ann.raw(&Set{Head: ann.head(), Key: "k", Value: "v"})
			o.add(set)
			o.wantCounted("rule 2", false, set.ID())
		}},
		{"rule 2: a later grant gives the role again", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			old := o.as("ann")
			o.setRole("ann", RoleMember)
			o.setRole("ann", RoleAdmin)
			ann := o.as("ann")
			set := ann.do(ann.log.SignSet(ann.key, "k", "v", ann.now))
			lost := old.do(old.log.SignSet(old.key, "k", "old", old.now))
			o.learn(ann, old)
			o.wantCounted("rule 2", true, set)
			o.wantCounted("rule 2, concurrent with the end", false, lost)
		}},
		{"rule 2: after a removal takes a new admit and a new grant", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			inv := o.log.State().Members[who("ann").pub].Invite
			o.remove("ann")
			o.readmit("ann", RoleMember, inv, o.person)
			ann := o.as("ann")
			lost := ann.raw(&Set{Head: ann.head(), Key: "k", Value: "v"})
			o.add(lost)
			o.setRole("ann", RoleAdmin)
			ann = o.as("ann")
			set := ann.do(ann.log.SignSet(ann.key, "k", "w", ann.now))
			o.learn(ann)
			o.wantCounted("rule 2", false, lost.ID())
			o.wantCounted("rule 2", true, set)
		}},
		{"rule 2: two admins end each other's nothing", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleAdmin)
			ann, bob := o.as("ann"), o.as("bob")
			ann.add(ann.rawRemove("bob"))
			bob.add(bob.rawRemove("ann"))
			o.learn(ann, bob)
			o.want("rule 3", roles{"ann": RoleAdmin, "bob": RoleAdmin})
		}},
		{"rule 1 and 2: a promotion shields the admit it rests on", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			old, twin := o.as("ann"), o.as("ann")
			ann := o.as("ann")
			inv := ann.inviteFor(RoleMember, 5, "ann")
			ann.do(ann.admitWith("bob", inv, ann.person))
			cat := ann.do(ann.admitWith("cat", inv, ann.person))
			o.learn(ann)
			o.setRole("bob", RoleAdmin)
			// Ann leaves as of before she admitted anybody, and ends the invite too.
			old.add(old.raw(&Uninvite{Head: old.head(), Invites: []ident.ID{inv}}))
			twin.leave()
			o.learn(old, twin)
			o.want("shield", roles{"ann": RoleNone, "bob": RoleAdmin, "cat": RoleNone})
			o.wantCounted("no shield", false, cat)
		}},
		{"rule 1: a role for one whose only admit is struck does not count", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			ann := o.as("ann")
			admit := ann.admit("bob", RoleMember)
			o.learn(ann)
			promo := o.setRole("bob", RoleAdmin)
			bob := o.as("bob")
			set := bob.do(bob.log.SignSet(bob.key, "k", "v", bob.now))
			o.learn(bob)
			o.wantCounted("before", true, promo, set)
			o.do(o.log.SignVoid(o.key, []ident.ID{admit}, o.now))
			o.want("rule 1", roles{"bob": RoleNone})
			o.wantCounted("rule 1", false, promo, set)
		}},
		{"rule 1: a role for one who was removed does not bring it back", func(t *testing.T, o *node) {
			o.admit("bob", RoleMember)
			o.remove("bob")
			id := o.add(o.raw(&RoleChange{Head: o.head(), Member: who("bob").pub, Role: RoleAdmin}))
			o.want("rule 1", roles{"bob": RoleNone})
			o.wantCounted("rule 1", false, id)
			bob := o.as("bob")
			set := bob.raw(&Set{Head: bob.head(), Key: "k", Value: "v"})
			o.add(set)
			o.wantCounted("rule 2", false, set.ID())
		}},
		{"rule 3: an owner's entry about a person voids a concurrent removal", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleMember)
			o.admit("cat", RoleMember)
			ann := o.as("ann")
			o.setRole("bob", RoleService)
			rm := ann.add(ann.rawRemove("bob", "cat"))
			o.learn(ann)
			o.want("rule 3", roles{"bob": RoleService, "cat": RoleNone})
			o.wantCounted("the rest of it counts", true, rm)
		}},
		{"rule 3: an owner's removal voids a concurrent admit", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleMember)
			inv := o.log.State().Members[who("bob").pub].Invite
			ann := o.as("ann")
			ann.remove("bob")
			again := ann.readmit("bob", RoleMember, inv, o.person)
			o.remove("bob")
			o.learn(ann)
			o.want("rule 3", roles{"bob": RoleNone})
			o.wantCounted("rule 3", false, again)
		}},
		{"rule 3: an admin's entry about an admin is void", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleAdmin)
			ann := o.as("ann")
			ann.add(ann.rawRemove("bob"))
			o.learn(ann)
			o.want("rule 3", roles{"bob": RoleAdmin})
		}},
		{"rule 3: an admin's entry about the owner is void", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			ann := o.as("ann")
			ann.add(ann.rawRemove("owner"))
			o.learn(ann)
			if s := o.log.State(); s.Role(s.Owner) != RoleOwner || len(s.Gone) != 0 {
				t.Errorf("owner is %s, gone %v", s.Role(s.Owner), s.Gone)
			}
		}},
		{"rule 3: an admin that was demoted is a member like others", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleAdmin)
			o.setRole("bob", RoleMember)
			ann := o.as("ann")
			ann.remove("bob")
			o.learn(ann)
			o.want("rule 3", roles{"bob": RoleNone})
		}},
		{"rule 4: a service admits by an invite that names it", func(t *testing.T, o *node) {
			o.admit("relay", RoleService)
			inv := o.inviteFor(RoleMember, 2, "relay")
			relay := o.as("relay")
			relay.do(relay.admitWith("bob", inv, o.person))
			relay.do(relay.admitWith("cat", inv, o.person))
			third := relay.rawAdmit("dan", inv, o.person, RoleMember)
			relay.add(third)
			o.learn(relay)
			o.want("rule 4", roles{"bob": RoleMember, "cat": RoleMember, "dan": RoleNone})
			o.wantCounted("only as many as uses", false, third.ID())
		}},
		{"rule 4: a service without an invite admits nobody", func(t *testing.T, o *node) {
			o.admit("relay", RoleService)
			o.admit("bob", RoleMember)
			inv := o.log.State().Members[who("bob").pub].Invite
			o.remove("bob")
			relay := o.as("relay")
			e := relay.rawAdmit("bob", inv, o.person, RoleMember)
			a := *e.Body().(*Admit)
			a.Invite = ident.ID{}
			id := relay.add(relay.raw(&a))
			o.learn(relay)
			o.wantCounted("rule 4", false, id)
		}},
		{"rule 4: a service signs nothing but admits", func(t *testing.T, o *node) {
			o.admit("relay", RoleService)
			o.admit("bob", RoleMember)
			relay := o.as("relay")
			ids := []ident.ID{
				relay.add(relay.raw(&Set{Head: relay.head(), Key: "k", Value: "v"})),
				relay.add(relay.rawRemove("bob")),
				relay.add(relay.raw(&Invite{Head: relay.head(), Key: relay.invite.Public(), Role: RoleMember, Uses: 1, Admitter: relay.pub})),
				relay.add(relay.raw(&Epoch{Head: relay.head()})),
			}
			o.learn(relay)
			o.wantCounted("rule 4", false, ids...)
			o.want("rule 4", roles{"bob": RoleMember})
		}},
		{"rule 4: what a service admits while it is removed is lost", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("relay", RoleService)
			inv := o.inviteFor(RoleMember, 9, "relay")
			relay, ann := o.as("relay"), o.as("ann")
			before := relay.do(relay.admitWith("bob", inv, o.person))
			ann.learn(relay)
			ann.remove("relay") // an admin may remove a service
			late := relay.do(relay.admitWith("cat", inv, o.person))
			o.learn(ann, relay)
			o.want("rule 4", roles{"relay": RoleNone, "bob": RoleMember, "cat": RoleNone})
			o.wantCounted("rule 4", true, before)
			o.wantCounted("rule 4", false, late)
		}},
		{"rule 4: a service's invite dies with its signer's role", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("relay", RoleService)
			ann := o.as("ann")
			inv := ann.inviteFor(RoleMember, 9, "relay")
			relay := ann.as("relay")
			before := relay.do(relay.admitWith("bob", inv, ann.person))
			o.learn(relay)
			o.setRole("ann", RoleMember)
			late := relay.do(relay.admitWith("cat", inv, ann.person))
			o.learn(relay)
			o.wantCounted("its signer still entitled", true, before)
			o.wantCounted("its signer still entitled", false, late)
			relay = o.as("relay")
			if _, err := relay.admitWith("dan", inv, ann.person); err == nil {
				t.Error("SignAdmit used an invite whose signer lost its role")
			}
		}},
		{"rule 4: a promoted service goes on admitting", func(t *testing.T, o *node) {
			o.admit("relay", RoleService)
			inv := o.inviteFor(RoleMember, 9, "relay")
			relay := o.as("relay")
			o.setRole("relay", RoleAdmin)
			same := relay.do(relay.admitWith("bob", inv, o.person)) // concurrent
			o.learn(relay)
			after := o.as("relay")
			next := after.do(after.admitWith("cat", inv, o.person))
			o.learn(after)
			o.wantCounted("rule 4", true, same, next)
		}},
		{"rule 4: an admit not in the past of its uninvite is void", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			ann := o.as("ann")
			inv := ann.inviteFor(RoleMember, 9, "ann")
			o.learn(ann)
			before := ann.do(ann.admitWith("bob", inv, ann.person))
			o.learn(ann)
			o.do(o.log.SignUninvite(o.key, []ident.ID{inv}, o.now))
			late := ann.do(ann.admitWith("cat", inv, ann.person))
			o.learn(ann)
			o.wantCounted("rule 4", true, before)
			o.wantCounted("rule 4", false, late)
			if o.log.State().Invites[inv].Open() {
				t.Error("an ended invite is open")
			}
		}},
		{"rule 4: an uninvite by a removed admin ends nothing", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			inv := o.inviteFor(RoleMember, 9, "owner")
			ann := o.as("ann")
			o.remove("ann")
			ann.do(ann.log.SignUninvite(ann.key, []ident.ID{inv}, ann.now))
			id := o.do(o.admitWith("bob", inv, o.person))
			o.learn(ann)
			o.wantCounted("rule 4", true, id)
			if !o.log.State().Invites[inv].Open() {
				t.Error("the invite was ended by somebody removed")
			}
		}},
		{"rule 4: a remove ends the invites it lists", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleMember)
			ann := o.as("ann")
			inv := ann.inviteFor(RoleMember, 9, "ann")
			o.learn(ann)
			o.remove("bob", o.log.State().OpenMultiUse()...)
			late := ann.do(ann.admitWith("cat", inv, ann.person))
			o.learn(ann)
			o.wantCounted("rule 4", false, late)
		}},
		{"rule 4: an admin's uninvite does not undo the owner's concurrent admit", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			inv := o.inviteFor(RoleMember, 9, "owner")
			ann := o.as("ann")
			ann.do(ann.log.SignUninvite(ann.key, []ident.ID{inv}, ann.now))
			id := o.do(o.admitWith("bob", inv, o.person))
			o.learn(ann)
			o.wantCounted("rule 1", true, id)
		}},
		{"rule 4: the owner's admits keep to its uninvites and uses", func(t *testing.T, o *node) {
			inv := o.inviteFor(RoleMember, 1, "owner")
			twin := o.as("owner")
			one := o.do(o.admitWith("bob", inv, o.person))
			two := twin.do(twin.admitWith("cat", inv, o.person))
			o.learn(twin)
			o.wantCounted("the lower id counts", one.Compare(two) < 0, one)
			o.wantCounted("the lower id counts", two.Compare(one) < 0, two)
			ended := o.inviteFor(RoleMember, 1, "owner")
			o.do(o.log.SignUninvite(o.key, []ident.ID{ended}, o.now))
			late := o.rawAdmit("dan", ended, o.person, RoleMember)
			o.add(late)
			o.wantCounted("rule 4", false, late.ID())
		}},
		{"rule 4: of concurrent admits the first by (depth, id) count", func(t *testing.T, o *node) {
			o.admit("relay", RoleService)
			inv := o.inviteFor(RoleMember, 1, "relay")
			a, b := o.as("relay"), o.as("relay")
			deep := func(n *node) { // one entry deeper
				n.add(n.raw(&Set{Head: n.head(), Key: "x", Value: "y"}))
			}
			deep(a)
			second := a.do(a.admitWith("bob", inv, o.person))
			first := b.do(b.admitWith("cat", inv, o.person))
			o.learn(a, b)
			o.wantCounted("lower depth", true, first)
			o.wantCounted("lower depth", false, second)
		}},
		{"rule 4: an invite that names neither signer nor service admits nobody", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleAdmin)
			ann := o.as("ann")
			inv := &Invite{Head: ann.head(), Key: ann.invite.Public(), Role: RoleMember, Uses: 1, Admitter: who("bob").pub}
			id := ann.add(ann.raw(inv))
			bob := ann.as("bob")
			admit := bob.rawAdmit("cat", id, ann.person, RoleMember)
			bob.add(admit)
			o.learn(bob)
			o.wantCounted("rule 4", false, id, admit.ID())
		}},
		{"rule 5: concurrent removal and anything else is out", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("cat", RoleAdmin)
			o.admit("bob", RoleMember)
			inv := o.log.State().Members[who("bob").pub].Invite
			ann, cat := o.as("ann"), o.as("cat")
			ann.remove("bob")
			again := cat.raw(&Admit{Head: cat.head(), Claim: cat.claim("bob", inv, o.person),
				Claimed: mustClaim(t, cat.claim("bob", inv, o.person)), Role: RoleMember, Name: "bob2"})
			cat.add(again)
			o.learn(ann, cat)
			o.want("rule 5", roles{"bob": RoleNone})
			o.wantCounted("rule 5", true, again.ID())
		}},
		{"rule 5: the lowest role of concurrent entries", func(t *testing.T, o *node) {
			o.admit("bob", RoleMember)
			twin := o.as("owner")
			o.setRole("bob", RoleAdmin)
			twin.setRole("bob", RoleService)
			o.learn(twin)
			o.want("rule 5", roles{"bob": RoleService})
		}},
		{"rule 5: unban is a new admit after the removal, by the old claim", func(t *testing.T, o *node) {
			o.admit("bob", RoleMember)
			inv := o.log.State().Members[who("bob").pub].Invite
			o.remove("bob")
			gone := o.log.State().Gone[Principal(who("bob").pub)]
			if len(gone.Entries) != 1 || gone.Left {
				t.Errorf("gone = %+v", gone)
			}
			o.readmit("bob", RoleMember, inv, o.person)
			o.want("rule 5", roles{"bob": RoleMember})
			if _, still := o.log.State().Gone[Principal(who("bob").pub)]; still {
				t.Error("a readmitted member is among the gone")
			}
		}},
		{"rule 5: leave is out, and told apart", func(t *testing.T, o *node) {
			o.admit("bob", RoleMember)
			bob := o.as("bob")
			id := bob.leave()
			o.learn(bob)
			o.want("rule 5", roles{"bob": RoleNone})
			if gone := o.log.State().Gone[Principal(bob.pub)]; !gone.Left || !reflect.DeepEqual(gone.Entries, []ident.ID{id}) {
				t.Errorf("gone = %+v", gone)
			}
		}},
		{"rule 5: set: the owner's, then the lowest id, later ones replace", func(t *testing.T, o *node) {
			o.admit("ann", RoleAdmin)
			o.admit("bob", RoleAdmin)
			ann, bob := o.as("ann"), o.as("bob")
			a := ann.do(ann.log.SignSet(ann.key, "k", "ann", ann.now))
			b := bob.do(bob.log.SignSet(bob.key, "k", "bob", bob.now))
			o.learn(ann, bob)
			want := "ann"
			if b.Compare(a) < 0 {
				want = "bob"
			}
			wantSetting(t, o, want)
			old := ann.as("owner")
			old.do(old.log.SignSet(old.key, "k", "owner", old.now))
			// Concurrent with bob's and after ann's: the owner's wins.
			o.learn(old)
			wantSetting(t, o, "owner")
			last := o.as("bob")
			last.do(last.log.SignSet(last.key, "k", "last", last.now))
			o.learn(last)
			wantSetting(t, o, "last")
			o.do(o.log.SignSet(o.key, "k", "", o.now))
			wantSetting(t, o, "")
		}},
		{"guests are removed without an epoch", func(t *testing.T, o *node) {
			o.admit("relay", RoleService)
			guest := GuestPrincipal(who("relay").pub, [32]byte{7})
			e, err := o.log.SignRemove(o.key, Removal{Targets: []Principal{guest}, Key: [32]byte{1}}, o.ring, o.now)
			id := o.do(e, err)
			if _, ok := o.log.State().Gone[guest]; !ok || e.Body().(*Remove).Epoch != nil {
				t.Errorf("gone %v, epoch %v", o.log.State().Gone, e.Body().(*Remove).Epoch)
			}
			if heads := o.log.State().EpochHeads; len(heads) != 1 || heads[0] == id {
				t.Errorf("epoch heads %v", heads)
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			o := found(t)
			c.run(t, o)
			if got, want := o.reversed().State(), o.log.State(); !reflect.DeepEqual(got, want) {
				t.Errorf("in reverse order the state is\n%+v\ninstead of\n%+v", got, want)
			}
		})
	}
}

func wantSetting(t *testing.T, n *node, want string) {
	t.Helper()
	if got := n.log.State().Settings["k"]; got != want {
		t.Errorf("setting is %q, want %q", got, want)
	}
}

func mustClaim(t *testing.T, s ident.Statement) Claim {
	t.Helper()
	c, err := DecodeClaim(s.Body)
	mustT(t, err)
	return c
}
