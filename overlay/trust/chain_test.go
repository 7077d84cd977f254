package trust

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// chain is a history on a network that falls apart and comes together, with real
// keyrings: everybody keeps every key that was ever wrapped for it or given to it,
// and everybody seals things for the mesh as it knows it.
type chain struct {
	*history
	mail []mail
	keys int
}

// mail is something sealed for the whole mesh.
type mail struct {
	sealed []byte
	heads  []ident.ID
	// out are those whom its sender knew to be out.
	out map[ident.PublicKey]bool
}

func newChain(t *rapid.T) *chain {
	h := newHistory(t)
	h.apart = map[string]int{}
	owner := h.nodes["owner"]
	for _, name := range []string{"bob", "cat"} { // there must be somebody to remove
		owner.admit(name, RoleMember)
	}
	for _, e := range owner.log.Entries()[1:] {
		if _, seen := h.all[e.ID()]; !seen {
			h.all[e.ID()], h.order = e, append(h.order, e.ID())
		}
	}
	for _, name := range h.names {
		h.meet(owner, h.nodes[name])
	}
	zero := h.nodes["owner"].log.Entries()[0].ID()
	for _, name := range h.names { // as their welcomes gave it, if they were welcome
		n := h.nodes[name]
		if n.log.State().Role(n.pub) == RoleNone {
			continue
		}
		if err := n.ring.Put(n.log, zero, [32]byte{0xee}); err != nil {
			t.Fatal(err)
		}
	}
	return &chain{history: h}
}

// part divides the network anew, or heals it.
func (c *chain) part() {
	for _, name := range c.names {
		c.apart[name] = rapid.IntRange(0, 1).Draw(c.t, "part")
	}
}

// forgive takes those off the list who are in again: somebody who knows the epoch that
// shut them out holds them for members all the same, as they were admitted anew, or as
// what ended them does not count there. Newcomers may read what was before.
func (c *chain) forgive() {
	for _, n := range c.nodes {
		s := n.log.State()
		for _, m := range c.mail {
			for key := range m.out {
				if s.Role(key) != RoleNone && slices.ContainsFunc(m.heads, func(h ident.ID) bool { return shuts(n.log, h, key) }) {
					delete(m.out, key)
				}
			}
		}
	}
}

// shuts tells whether an epoch that a log knows was made without somebody.
func shuts(l *Log, epoch ident.ID, key ident.PublicKey) bool {
	e, ok := l.Get(epoch)
	return ok && !slices.ContainsFunc(e.Wraps(), func(w Wrap) bool { return w.Member == key })
}

// upkeep lets everybody open what it can and ask whom it reaches for what it lacks.
func (c *chain) upkeep() {
	c.forgive()
	for _, name := range c.names {
		n := c.nodes[name]
		n.unlock()
		for _, giver := range c.names {
			c.pull(n, c.nodes[giver])
		}
	}
}

// pull is n asking giver, which gives all it knows to whom it holds for a member.
func (c *chain) pull(n, giver *node) {
	asker, ok := giver.log.State().Member(n.pub)
	if !ok || c.apart[n.name] != c.apart[giver.name] || n.name == giver.name {
		return
	}
	for _, id := range n.ring.Missing(n.log.Epochs()) {
		key, known := giver.ring.Get(id)
		if !known {
			continue
		}
		w, err := WrapKey(n.log.mesh, asker.Keys, key)
		if err != nil {
			c.t.Fatal(err)
		}
		if err := n.ring.Open(n.log, id, w, n.open); err != nil {
			c.t.Fatalf("%s cannot open what %s gave: %v", n.name, giver.name, err)
		}
	}
	n.unlock()
}

// rekey lets somebody write the epoch that is due.
func (c *chain) rekey(n *node, always bool) {
	s := n.log.State()
	if _, may := s.RekeyTurn(n.pub); !may || s.Clean() && !always {
		return
	}
	c.keys++
	e, err := n.log.SignEpoch(n.key, [32]byte{0xaa, byte(c.keys), byte(c.keys >> 8)}, n.ring, n.now)
	c.take(n, e, err)
	n.unlock()
}

// say seals something under what its sender holds for the mesh's key.
func (c *chain) say(n *node) {
	s := n.log.State()
	if s.Role(n.pub) == RoleNone || !s.Clean() {
		return // a node that is out says nothing; an unclean one says it is
	}
	epoch, key, err := n.ring.Effective(s.EpochHeads)
	if err != nil {
		return // it holds back what it has to say
	}
	sealed, err := seal.EpochSeal(key, epoch, seal.UseMsg, n.log.mesh, []byte("secret"))
	if err != nil {
		c.t.Fatal(err)
	}
	m := mail{sealed: sealed, heads: s.EpochHeads, out: map[ident.PublicKey]bool{}}
	for key := range n.log.admits {
		if s.Role(key) == RoleNone {
			m.out[key] = true
		}
	}
	c.mail = append(c.mail, m)
}

func (c *chain) run() {
	for range rapid.IntRange(10, 30).Draw(c.t, "steps") {
		switch rapid.IntRange(0, 6).Draw(c.t, "what") {
		case 0:
			c.part()
		case 1:
			c.ban(c.nodes[c.pick("by")])
		default:
			c.step()
		}
		c.upkeep()
		c.rekey(c.nodes[c.pick("due")], false)
		c.say(c.nodes[c.pick("says")])
	}
}

// ban is an honest removal, on what its signer knows.
func (c *chain) ban(n *node) {
	c.keys++
	target := Principal(who(c.pick("banned")).pub)
	e, err := n.log.SignRemove(n.key, Removal{
		Targets: []Principal{target}, Invites: n.log.State().OpenMultiUse(), Key: [32]byte{0xab, byte(c.keys), byte(c.keys >> 8)},
	}, n.ring, n.now)
	c.take(n, e, err)
}

// heal brings all together until everybody knows everything.
func (c *chain) heal() {
	c.apart = map[string]int{}
	for range 2 {
		for _, a := range c.names {
			c.meet(c.nodes["owner"], c.nodes[a])
		}
	}
	c.upkeep()
}

// opens tells whether somebody opens something, with every key it ever had and every
// entry there is.
func (c *chain) opens(n *node, m mail) bool {
	n.unlock()
	_, key, err := n.ring.Effective(m.heads)
	if err != nil {
		return false
	}
	_, err = seal.EpochOpen(key, seal.UseMsg, n.log.mesh, m.sealed)
	return err == nil
}

// TestChainOfTrust: random admissions, promotions, demotions, removals, leaves, voids
// and invites on a network that falls apart and heals, with entries made on old states
// (and so dated back) by everybody who was ever somebody. In the end all agree on who
// is in with which role, nobody can do what its role does not allow, and nobody ever
// opens what was sealed by one who knew it to be out.
func TestChainOfTrust(t *testing.T) {
	checked := 0
	rapid.Check(t, func(t *rapid.T) {
		c := newChain(t)
		c.run()
		c.heal()
		owner := c.nodes["owner"]
		for _, name := range c.names {
			if got, want := c.nodes[name].log.State(), owner.log.State(); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s and the owner differ:\n%+v\n%+v", name, got, want)
			}
		}
		checkRule2(t, owner.log)
		checkHolders(t, owner.log)
		for i, m := range c.mail {
			for key := range m.out {
				checked++
				if n := c.byKey(key); n != nil && c.opens(n, m) {
					t.Fatalf("%s opens message %d, whose sender knew it to be out", n.name, i)
				}
			}
		}
		c.rekey(owner, true)
		c.heal()
		c.checkKey()
	})
	if checked == 0 {
		t.Error("nothing was ever sealed with somebody out: the test shows nothing")
	}
	t.Logf("%d attempts to open", checked)
}

func (c *chain) byKey(key ident.PublicKey) *node {
	for _, n := range c.nodes {
		if n.pub == key {
			return n
		}
	}
	return nil
}

// checkKey: after a new epoch that all have heard of, all members and nobody else have
// the mesh's key.
func (c *chain) checkKey() {
	owner := c.nodes["owner"]
	s := owner.log.State()
	if !s.Clean() {
		c.t.Fatalf("unclean after the owner's epoch: %v", s.Unclean)
	}
	_, want, err := owner.ring.Effective(s.EpochHeads)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range c.names {
		n := c.nodes[name]
		_, got, err := n.ring.Effective(s.EpochHeads)
		switch in := s.Role(n.pub) != RoleNone; {
		case in && (err != nil || got != want):
			c.t.Fatalf("%s is %s and has not the mesh's key: %v", name, s.Role(n.pub), err)
		case !in && err == nil:
			c.t.Fatalf("%s is out and has the mesh's key", name)
		}
	}
}

// A new entry that a Sign method made says the same in a trial as when it is added.
func TestTrial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := runHistory(t)
		o := h.nodes["owner"]
		before := fmt.Sprintf("%+v", o.log.State().Members)
		ids := slices.DeleteFunc(slices.Clone(h.order), func(id ident.ID) bool {
			e, ok := o.log.Get(id)
			return !ok || e.Signer() == o.pub
		})
		if len(ids) == 0 {
			return
		}
		e, err := o.log.SignVoid(o.key, ids[:rapid.IntRange(1, len(ids)).Draw(t, "struck")], o.now)
		if err != nil {
			t.Fatal(err)
		}
		tried, err := o.log.Trial(e)
		if err != nil {
			t.Fatal(err)
		}
		if o.log.Has(e.ID()) || fmt.Sprintf("%+v", o.log.State().Members) != before {
			t.Fatal("a trial changed the log")
		}
		o.add(e)
		if !reflect.DeepEqual(o.log.State(), tried) {
			t.Fatalf("tried %+v\nis %+v", tried, o.log.State())
		}
	})
}
