package trust

import (
	"crypto/hpke"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// tester is what both *testing.T and *rapid.T offer.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// person is somebody with all its keys.
type person struct {
	name   string
	seed   ident.Seed
	key    ident.PrivateKey
	blind  ident.PrivateKey
	pub    ident.PublicKey
	keys   Keys
	invite ident.PrivateKey // the key of the invites this person makes
	open   hpke.PrivateKey  // opens what is sealed to keys.Seal
}

// cast are the persons of all tests: keys are made once.
var cast = sync.OnceValue(func() map[string]person {
	out := map[string]person{}
	for i, name := range []string{"owner", "ann", "bob", "cat", "dan", "eve", "relay", "relay2"} {
		seed := ident.Seed{byte(i + 1)}
		key := seed.Member()
		out[name] = person{open: seed.Seal(), name: name, seed: seed, key: key, blind: seed.Blind(), pub: key.Public(), keys: KeysOf(seed),
			invite: ident.PrivateKeyFromSeed([32]byte{0xff, byte(i)})}
	}
	return out
})

func who(name string) person {
	p, ok := cast()[name]
	if !ok {
		panic("nobody is called " + name)
	}
	return p
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// node is one person's view of a mesh.
type node struct {
	person
	t    tester
	log  *Log
	ring *Keyring
	now  time.Time
}

// found makes a mesh and its owner's node.
func found(t tester) *node {
	t.Helper()
	owner := who("owner")
	key := [32]byte{0xee}
	g, err := CreateGenesis(owner.seed, "test", "owner", start, key)
	if err != nil {
		t.Fatalf("genesis: %v", err)
	}
	l, err := NewLog(g)
	if err != nil {
		t.Fatalf("new log: %v", err)
	}
	n := &node{person: owner, t: t, log: l, ring: NewKeyring(), now: start}
	if err := n.ring.Put(l, g.ID(), key); err != nil {
		t.Fatalf("epoch 0: %v", err)
	}
	return n
}

// as is another person's node with a copy of n's log as it is now. It is also
// how a test signs from an old state: keep the copy.
func (n *node) as(name string) *node {
	n.t.Helper()
	entries := n.log.Entries()
	l, err := NewLog(entries[0])
	if err != nil {
		n.t.Fatalf("copy the log: %v", err)
	}
	for _, e := range entries[1:] { // the signatures were verified once already
		if _, err := l.add(e); err != nil {
			n.t.Fatalf("copy the log: %v", err)
		}
	}
	return &node{person: who(name), t: n.t, log: l, ring: NewKeyring(), now: n.now}
}

// add puts an entry into n's log; it must be accepted.
func (n *node) add(e Entry) ident.ID {
	n.t.Helper()
	if _, err := n.log.Add(e); err != nil {
		n.t.Fatalf("%s adds %s: %v", n.name, e.Kind(), err)
	}
	return e.ID()
}

// do adds what a Sign method made.
func (n *node) do(e Entry, err error) ident.ID {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s signs: %v", n.name, err)
	}
	return n.add(e)
}

// learn takes over all that others' logs hold.
func (n *node) learn(others ...*node) {
	n.t.Helper()
	for _, o := range others {
		for _, e := range o.log.Entries() {
			if e.Kind() != ident.KindGenesis {
				n.add(e)
			}
		}
	}
}

// raw signs a body on n's heads without the checks of the Sign methods.
func (n *node) raw(b Body, wraps ...Wrap) Entry {
	n.t.Helper()
	e, err := signEntry(n.log.mesh, n.key, b, wraps, nil)
	if err != nil {
		n.t.Fatalf("%s signs %s: %v", n.name, b.Kind(), err)
	}
	return e
}

func (n *node) head() Head { return n.log.head(n.key, n.now) }

// inviteFor makes an invite by n, admitted by admitter.
func (n *node) inviteFor(role Role, uses int, admitter string) ident.ID {
	n.t.Helper()
	return n.do(n.log.SignInvite(n.key, Invite{Key: n.invite.Public(), Role: role, Uses: uses, Admitter: who(admitter).pub}, n.now))
}

// claim is name's claim to an invite that by made.
func (n *node) claim(name string, invite ident.ID, by person) ident.Statement {
	p := who(name)
	c := Claim{Invite: invite, Keys: p.keys, Peer: []byte("peer-" + name), Name: name}
	return ident.Sign(ident.KindClaim, n.log.mesh, c.Encode(), p.key, p.blind, by.invite)
}

// admitWith makes n admit name by an invite that by made.
func (n *node) admitWith(name string, invite ident.ID, by person) (Entry, error) {
	return n.log.SignAdmit(n.key, Admit{Claim: n.claim(name, invite, by), Name: name, Invite: invite}, n.now)
}

// rawAdmit is admitWith without any check.
func (n *node) rawAdmit(name string, invite ident.ID, by person, role Role) Entry {
	n.t.Helper()
	claim := n.claim(name, invite, by)
	body, err := DecodeClaim(claim.Body)
	if err != nil {
		n.t.Fatalf("claim: %v", err)
	}
	return n.raw(&Admit{Head: n.head(), Claim: claim, Claimed: body, Role: role, Name: name, Invite: invite})
}

// admit makes n invite and admit name with a role, in two entries.
func (n *node) admit(name string, role Role) ident.ID {
	n.t.Helper()
	return n.do(n.admitWith(name, n.inviteFor(role, 1, n.name), n.person))
}

// readmit admits name again by an old claim.
func (n *node) readmit(name string, role Role, oldInvite ident.ID, by person) ident.ID {
	n.t.Helper()
	return n.do(n.log.SignAdmit(n.key, Admit{Claim: n.claim(name, oldInvite, by), Name: name, Role: role}, n.now))
}

func (n *node) setRole(name string, role Role) ident.ID {
	n.t.Helper()
	return n.do(n.log.SignRole(n.key, who(name).pub, role, n.now))
}

// remove takes somebody out. The epoch's key is made of the name.
func (n *node) remove(name string, invites ...ident.ID) ident.ID {
	n.t.Helper()
	key := [32]byte{1}
	copy(key[1:], fmt.Sprintf("%s by %s %d", name, n.name, n.log.Len()))
	id := n.do(n.log.SignRemove(n.key, Removal{Targets: []Principal{Principal(who(name).pub)}, Invites: invites, Key: key}, n.ring, n.now))
	if err := n.ring.Put(n.log, id, key); err != nil {
		n.t.Fatalf("keep the key: %v", err)
	}
	return id
}

// rawRemove is a removal without checks and without an epoch.
func (n *node) rawRemove(names ...string) Entry {
	n.t.Helper()
	v := &Remove{Head: n.head()}
	for _, name := range names {
		v.Targets = append(v.Targets, Principal(who(name).pub))
	}
	v.Targets = sorted(v.Targets)
	v.Keeps = make([][32]byte, len(v.Targets))
	return n.raw(v)
}

func (n *node) leave() ident.ID {
	n.t.Helper()
	return n.do(n.log.SignLeave(n.key, nil, n.now))
}

func (n *node) role(name string) Role { return n.log.State().Role(who(name).pub) }

// want checks roles, given as "ann=admin bob=none".
func (n *node) want(rule string, roles map[string]Role) {
	n.t.Helper()
	for name, role := range roles {
		if got := n.role(name); got != role {
			n.t.Errorf("%s: %s is %s, want %s", rule, name, got, role)
		}
	}
}

// wantCounted checks whether entries count.
func (n *node) wantCounted(rule string, counted bool, ids ...ident.ID) {
	n.t.Helper()
	for _, id := range ids {
		if !n.log.Has(id) {
			n.t.Fatalf("%s: entry %s is not in the log", rule, id)
		}
		if n.log.State().Counted(id) != counted {
			e, _ := n.log.Get(id)
			n.t.Errorf("%s: %s counted is %v, want %v", rule, e.Kind(), !counted, counted)
		}
	}
}

// reversed builds a log from n's entries in the worst order of arrival.
func (n *node) reversed() *Log {
	n.t.Helper()
	entries := n.log.Entries()
	l, err := NewLog(entries[0])
	if err != nil {
		n.t.Fatalf("new log: %v", err)
	}
	for _, e := range slices.Backward(entries[1:]) {
		if _, err := l.Add(e); err != nil {
			n.t.Fatalf("add in reverse: %v", err)
		}
	}
	return l
}

func mustT(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
