package node

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// hear judges a gossip payload.
func (n *network) hear(ctx context.Context, m *mesh.Mesh, from peer.ID, kind byte, body []byte) gossip.Verdict {
	switch kind {
	case sayBeacon:
		return n.hearBeacon(ctx, m, body)
	case sayHeads:
		return n.hearHeads(m, from, body)
	case sayRecord:
		return n.syncs.hear(ctx, m, from, body)
	case sayLetter:
		return n.hearLetter(m, body)
	default:
		return gossip.Ignore // of a newer version
	}
}

// refused notes that a neighbour's node gave what honest ones pass on to nobody. Whose
// name is on it may be anybody's.
func (n *network) refused(id ident.MeshID, from peer.ID, what string) {
	var who ident.PublicKey
	for _, p := range n.host.Peers(id) {
		if p.Peer == from {
			who = p.Key
		}
	}
	n.audits.Refused(id, who, what)
}

func (n *network) hearBeacon(ctx context.Context, m *mesh.Mesh, body []byte) gossip.Verdict {
	const size = len(ident.PublicKey{})
	if len(body) < size {
		return gossip.Reject
	}
	member, err := ident.ParsePublicKey(body[:size])
	if err != nil {
		return gossip.Reject
	}
	if _, ok := m.State().Member(member); !ok {
		return gossip.Ignore // our admin log may lag behind, or that of whoever passed it on
	}
	raw := append([]byte(nil), body[size:]...)
	defer n.cache.changed()
	err = n.presence.Hear(ctx, m.ID(), member, raw, 0)
	switch {
	case err == nil:
		return gossip.Accept
	case errors.Is(err, presence.ErrFalse):
		n.log.Debug("beacon refused", "mesh", m.ID(), "member", member, "error", err)
		return gossip.Reject
	}
	return gossip.Ignore // it is known, else an old one could be sent around again and again; or not kept here
}

func (n *network) hearLetter(m *mesh.Mesh, body []byte) gossip.Verdict {
	onward, err := n.messages.Hear(m.ID(), append([]byte(nil), body...))
	switch {
	case err == nil && onward:
		return gossip.Accept
	case err == nil || errors.Is(err, message.ErrLater):
		return gossip.Ignore
	}
	n.log.Debug("message to many refused", "mesh", m.ID(), "error", err)
	return gossip.Reject
}
