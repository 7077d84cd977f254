package mesh

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// maxGuests is how many people are remembered who proved that they know the mesh
// but whose admission has not arrived yet.
const maxGuests = 64

// known is what is in force for one member: its newest binding and delivery key.
type known struct {
	peer     string // libp2p id told by an invite, for as long as there is no binding
	bind     trust.Bind
	rawBind  []byte
	delivery trust.Delivery
	rawKey   []byte
	addrs    []string
}

// met takes over what a member's node says of itself: a binding, a delivery key and
// addresses, each only if it verifies and is newer than what is known. It is kept on
// disk for members. It reports whether anything about a member was new.
func (m *Mesh) met(member ident.PublicKey, c contact) bool {
	if member == m.self && len(c.Bind) > 0 {
		m.heardOwn(c.Bind)
		c.Bind = nil
	}
	next := m.learn(member, c)
	if next == nil {
		return false
	}
	err := m.all.cfg.DB.Update(context.Background(), func(tx *store.Tx) error {
		return store.PutJSON(at(tx, m.id, bucketPeer), member[:], *next)
	})
	if err != nil {
		m.log().Warn("contact not kept", "mesh", m.id, "member", member, "error", err)
	}
	return true
}

// learn updates what is known in memory. It returns what to keep, or nil when
// nothing changed or the person is no member yet.
func (m *Mesh) learn(member ident.PublicKey, c contact) *contact {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, isMember := m.admin.State().Member(member)
	k, seen := m.known[member]
	if !isMember && !seen && m.guests() >= maxGuests {
		return nil
	}
	changed := m.learnBind(&k, member, c.Bind)
	changed = m.learnKey(&k, member, c.Delivery) || changed
	if c.Peer != "" && k.peer == "" {
		k.peer, changed = c.Peer, true
	}
	if len(c.Addrs) > 0 && !slices.Equal(c.Addrs, k.addrs) {
		k.addrs, changed = c.Addrs, true
	}
	if !changed {
		return nil
	}
	m.known[member] = k
	if !isMember {
		return nil
	}
	return &contact{Peer: k.peer, Bind: k.rawBind, Delivery: k.rawKey, Addrs: k.addrs}
}

// guests counts who is known and no member. The caller holds m.mu.
func (m *Mesh) guests() int {
	n, state := 0, m.admin.State()
	for key := range m.known {
		if _, ok := state.Member(key); !ok {
			n++
		}
	}
	return n
}

func (m *Mesh) learnBind(k *known, member ident.PublicKey, raw []byte) bool {
	if len(raw) == 0 || bytes.Equal(raw, k.rawBind) {
		return false // every beacon brings the same one
	}
	stmt, err := ident.ParseStatement(raw, trust.MaxBody)
	var b trust.Bind
	if err == nil {
		b, err = trust.CheckBind(m.id, stmt)
	}
	if err != nil || b.Member != member {
		m.refuse(member, "binding")
		return false
	}
	same := b.Gen == k.bind.Gen && string(b.Peer) == string(k.bind.Peer) && b.Until.After(k.bind.Until)
	if len(k.rawBind) > 0 && !b.Newer(k.bind) && !same {
		return false
	}
	if was := string(k.bind.Peer); was != "" && was != string(b.Peer) {
		m.outdate(was, member)
		m.moved = true
		m.all.poke(m.all.fetching)
	}
	k.bind, k.rawBind = b, raw
	return true
}

func (m *Mesh) learnKey(k *known, member ident.PublicKey, raw []byte) bool {
	if len(raw) == 0 || bytes.Equal(raw, k.rawKey) {
		return false
	}
	d, err := m.deliveryOf(member, raw)
	if err != nil || len(k.rawKey) > 0 && !d.Newer(k.delivery) {
		return false
	}
	k.delivery, k.rawKey = d, raw
	return true
}

// Home is the node a member is bound to, where it is known.
func (m *Mesh) Home(member ident.PublicKey) (peer.ID, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	k, ok := m.known[member]
	if !ok || len(k.rawBind) == 0 {
		return "", false
	}
	return peer.ID(k.bind.Peer), true
}

// Homes lists the nodes of all other members with the addresses remembered of them.
func (m *Mesh) Homes() map[peer.ID][]string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make(map[peer.ID][]string)
	for key, member := range m.admin.State().Members {
		k := m.known[key]
		if id := k.dial(member); id != "" && key != m.self {
			out[id] = k.addrs
		}
	}
	return out
}

// dial is the node to look for: the home a binding states, else what was said when
// the member was admitted or invited. Who is met there must prove itself anyway.
func (k known) dial(member trust.Member) peer.ID {
	if len(k.rawBind) > 0 {
		return peer.ID(k.bind.Peer)
	}
	if len(member.Peer) > 0 {
		return peer.ID(member.Peer)
	}
	id, err := peer.Decode(k.peer)
	if err != nil {
		return ""
	}
	return id
}

// metInviter remembers where the node that admitted this one can be found.
func (m *Mesh) metInviter(inviter ident.PublicKey, id string, addrs []string) {
	m.met(inviter, contact{Peer: id, Addrs: addrs})
}

// Met takes over a member's binding and addresses from its beacon. It reports whether
// anything about a member was new.
func (m *Mesh) Met(member ident.PublicKey, bind []byte, addrs []string) bool {
	return m.met(member, contact{Bind: bind, Addrs: addrs})
}

// Learn verifies a member's delivery statement and keeps it if it is newer than the
// one known. An older one is no error.
func (m *Mesh) Learn(member ident.PublicKey, statement []byte) error {
	m.mu.RLock()
	same := len(statement) > 0 && bytes.Equal(statement, m.known[member].rawKey)
	m.mu.RUnlock()
	if same {
		return nil
	}
	if _, err := m.deliveryOf(member, statement); err != nil {
		return err
	}
	m.met(member, contact{Delivery: statement})
	return nil
}

// deliveryOf reads what a member gave as its delivery key.
func (m *Mesh) deliveryOf(member ident.PublicKey, raw []byte) (trust.Delivery, error) {
	stmt, err := ident.ParseStatement(raw, trust.MaxBody)
	var d trust.Delivery
	if err == nil {
		d, err = trust.CheckDelivery(m.id, stmt)
	}
	if err == nil && d.Member != member {
		err = fmt.Errorf("%w: a delivery key of %s", ErrProof, d.Member)
	}
	if err != nil {
		m.refuse(member, "delivery_key")
	}
	return d, err
}

// Public returns a member's newest known delivery key, empty if none is known, and
// its long-term seal key.
func (m *Mesh) Public(member ident.PublicKey) (delivery, sealKey []byte, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	person, ok := m.admin.State().Member(member)
	if !ok {
		return nil, nil, ErrNotMember
	}
	return m.known[member].delivery.Key, person.Keys.Seal, nil
}
