package mesh

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/store"
)

// A member has one home. Where a backup was restored on another machine, or a folder
// copied, two nodes hold the same seed; the binding of the higher generation wins.
// The other one is told so by whoever refuses it, keeps that binding, and stops acting
// for its member: it would answer for mail it does not get.

// maxOutdated is how many nodes are remembered that were a member's home once.
const maxOutdated = 256

// keyElsewhere is the binding by which the own member is at home elsewhere.
var keyElsewhere = []byte("elsewhere")

// Elsewhere says which node is the own member's home instead of this one.
type Elsewhere struct {
	// Peer is that node's libp2p id, Gen the generation of its binding.
	Peer string `json:"peer"`
	Gen  uint64 `json:"generation"`
}

// Elsewhere tells whether the own member is bound to another node by a later binding.
func (m *Mesh) Elsewhere() (Elsewhere, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.away == nil || m.away.Gen < m.gen {
		return Elsewhere{}, false
	}
	return Elsewhere{Peer: peer.ID(m.away.Peer).String(), Gen: m.away.Gen}, true
}

// heardOwn takes a binding of the own member that somebody else showed. A later one
// than the own, to another node, suspends the mesh here.
func (m *Mesh) heardOwn(raw []byte) {
	b, err := m.ownBind(raw)
	if err != nil || string(b.Peer) == string(m.all.cfg.Peer) {
		return // an echo of this node
	}
	m.mu.Lock()
	own, err := trust.DecodeBind(m.bind.Body)
	known := m.away != nil && !b.Newer(*m.away)
	if err != nil || !b.Newer(own) || b.Gen < m.gen || known {
		m.mu.Unlock()
		return
	}
	m.away, m.moved = &b, true
	m.mu.Unlock()
	m.log().Error("another node acts for this node's member: the mesh is suspended here",
		"mesh", m.id, "peer", peer.ID(b.Peer), "generation", b.Gen)
	err = m.all.cfg.DB.Update(context.Background(), func(tx *store.Tx) error {
		return at(tx, m.id).Put(keyElsewhere, raw)
	})
	if err != nil {
		m.log().Warn("not kept that another node acts for this member", "mesh", m.id, "error", err)
	}
	m.all.poke(m.all.fetching)
}

// ownBind verifies a binding of the own member.
func (m *Mesh) ownBind(raw []byte) (trust.Bind, error) {
	stmt, err := ident.ParseStatement(raw, trust.MaxBody)
	if err != nil {
		return trust.Bind{}, err
	}
	b, err := trust.CheckBind(m.id, stmt)
	if err == nil && b.Member != m.self {
		err = ErrNotMember
	}
	return b, err
}

// loadElsewhere reads what an earlier run heard.
func (m *Mesh) loadElsewhere(tx *store.Tx) error {
	raw := at(tx, m.id).Get(keyElsewhere)
	if raw == nil {
		return nil
	}
	b, err := m.ownBind(append([]byte(nil), raw...))
	if err != nil {
		return fmt.Errorf("%w: binding elsewhere: %w", ErrKept, err)
	}
	m.away = &b
	return nil
}

// returned forgets that another node was the home.
func (m *Mesh) returned(ctx context.Context) error {
	m.mu.Lock()
	m.away = nil
	m.mu.Unlock()
	return m.all.cfg.DB.Update(ctx, func(tx *store.Tx) error { return at(tx, m.id).Delete(keyElsewhere) })
}

// takeMoved tells, once, that a member is at home somewhere else than before.
func (m *Mesh) takeMoved() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.moved
	m.moved = false
	return was
}

// outdate remembers a node that is a member's home no more. The caller holds m.mu.
func (m *Mesh) outdate(node string, member ident.PublicKey) {
	if m.outdated == nil || len(m.outdated) >= maxOutdated {
		m.outdated = make(map[string]ident.PublicKey)
	}
	m.outdated[node] = member
}

// newerFor is the binding to show to the other side of a handshake, if that is a node
// of which it is known that its member has moved. The caller holds m.mu.
func (m *Mesh) newerFor(t host.Transcript) []byte {
	remote := t.PeerR
	if t.Dir == 'r' {
		remote = t.PeerI
	}
	member, ok := m.outdated[string(remote)]
	if !ok {
		return nil
	}
	k := m.known[member]
	raw, home := k.rawBind, string(k.bind.Peer)
	if member == m.self {
		raw, home = m.bind.Marshal(), string(m.all.cfg.Peer)
	}
	if len(raw) == 0 || len(raw) > wire.MaxProof || home == string(remote) {
		return nil
	}
	return raw
}

// suspended is what users of this node are told while another one acts for its member.
func (m *Mesh) suspended() error {
	there, ok := m.Elsewhere()
	if !ok {
		return nil
	}
	return op.Errorf(op.Denied, "%s", elsewhereText(m.Slug(), there)).
		WithHint("go on there, and run `claudemesh leave %s` here; or make this machine the member's home again: `claudemesh backup`, then `claudemesh restore` of that file, here", m.Slug())
}

func elsewhereText(slug string, e Elsewhere) op.Phrase {
	return op.Phrasef("Your membership of %s was restored on another machine (node %s, %s): it is suspended here.",
		slug, e.Peer, time.Unix(int64(min(e.Gen, 1<<40)), 0).UTC().Format("2006-01-02"))
}

// Suspended tells whether another node acts for the own member.
func (m *Mesh) Suspended() bool {
	_, away := m.Elsewhere()
	return away
}
