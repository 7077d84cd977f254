package mesh

import (
	"errors"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// What a member shows in the handshake, in ident's field encoding: the proof
// statement, its binding and, so that the first letter needs no question before it,
// its newest delivery key.
const (
	tagProof    = 2
	tagBind     = 4
	tagDelivery = 5
	tagNewer    = 7 // to a node that was superseded: the binding that did so
)

// ID implements host.Mesh.
func (m *Mesh) ID() ident.MeshID { return m.id }

// TagKey implements host.Mesh.
func (m *Mesh) TagKey() [32]byte { return m.tagKey }

// Prove implements host.Mesh.
func (m *Mesh) Prove(t host.Transcript) ([]byte, ident.ID, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	proof := trust.SignProof(m.id, m.member, transcript(t), m.admin.Heads(), m.bind.ID())
	var f ident.Fields
	f.Bytes(tagProof, proof.Marshal())
	f.Bytes(tagBind, m.bind.Marshal())
	f.Bytes(tagDelivery, m.delivery)
	if newer := m.newerFor(t); newer != nil && len(f.Body())+len(newer)+8 <= wire.MaxProof {
		f.Bytes(tagNewer, newer)
	}
	return f.Body(), proof.ID(), nil
}

// Check implements host.Mesh.
func (m *Mesh) Check(t host.Transcript, raw []byte) (host.Peer, error) {
	p, err := m.check(t, raw)
	switch {
	case errors.Is(err, trust.ErrExpired):
		// Bindings are renewed daily and hold for a month.
		m.log().Warn("a node is not let in: its binding does not hold at this time; this machine's clock is wrong, or the other's", "mesh", m.id, "error", err)
		m.refuse(ident.PublicKey{}, "clock")
	case err != nil:
		m.refuse(ident.PublicKey{}, "proof")
	}
	if err != nil {
		return host.Peer{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return p, nil
}

func (m *Mesh) check(t host.Transcript, raw []byte) (host.Peer, error) {
	r, err := ident.ReadFields(raw, tagProof, tagBind, tagDelivery, tagNewer)
	if err != nil {
		return host.Peer{}, err
	}
	r.Need(tagProof, tagBind, tagDelivery)
	rawProof, rawBind := r.Bytes(tagProof, wire.MaxProof), r.Bytes(tagBind, wire.MaxProof)
	delivery, newer := r.Bytes(tagDelivery, wire.MaxProof), []byte(nil)
	if r.Has(tagNewer) {
		newer = r.Bytes(tagNewer, wire.MaxProof)
	}
	if err := r.Err(); err != nil {
		return host.Peer{}, err
	}
	proof, err := ident.ParseStatement(rawProof, wire.MaxProof)
	if err != nil {
		return host.Peer{}, err
	}
	bind, err := ident.ParseStatement(rawBind, wire.MaxProof)
	if err != nil {
		return host.Peer{}, err
	}
	p, b, err := trust.CheckProof(m.id, proof, bind, transcript(t), m.all.cfg.Now())
	if err != nil {
		return host.Peer{}, err
	}
	m.met(b.Member, contact{Bind: rawBind, Delivery: delivery})
	if newer != nil {
		m.heardOwn(newer)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, member := m.admin.State().Member(p.Member)
	home := m.boundHere(b)
	if !home {
		m.outdate(string(b.Peer), b.Member)
	}
	return host.Peer{
		Mesh: m.id, Key: p.Member, Member: member && home, Bind: rawBind, ProofID: proof.ID(),
		NeedSync: !slices.Equal(p.Heads, m.admin.Heads()),
	}, nil
}

// boundHere tells whether a binding names its member's home: a copy of a home that
// was superseded speaks for nobody. A home that was put back to an older state of its
// own still is the home: it hears from the others what it has forgotten. The caller
// holds m.mu.
func (m *Mesh) boundHere(b trust.Bind) bool {
	if b.Member == m.self {
		return false // its home is here, or this node is suspended
	}
	k, ok := m.known[b.Member]
	return !ok || len(k.rawBind) == 0 || !k.bind.Newer(b) || string(k.bind.Peer) == string(b.Peer)
}

// Member implements host.Mesh.
func (m *Mesh) Member(p host.Peer) (host.Peer, bool) {
	if !m.In() {
		p.Member = false // who was removed or superseded has nothing to say to anybody
		return p, false
	}
	if p.Key == m.self {
		p.Member = false // a copy of this node
		return p, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, p.Member = m.admin.State().Member(p.Key)
	if k, ok := m.known[p.Key]; ok && p.Member {
		p.Member = string(k.bind.Peer) == string(p.Peer)
	}
	return p, p.Member
}

// Proved implements host.Mesh.
func (m *Mesh) Proved(p host.Peer) {
	m.all.cfg.Net.Proved(p)
	m.all.poke(m.all.fetching) // it may have a key that is missing here
}

// Lost implements host.Mesh.
func (m *Mesh) Lost(p host.Peer) { m.all.cfg.Net.Lost(p) }

// transcript is a handshake as statements cover it.
func transcript(t host.Transcript) trust.Transcript {
	return trust.Transcript{Dir: t.Dir, I: t.I, R: t.R, PeerI: []byte(t.PeerI), PeerR: []byte(t.PeerR)}
}
