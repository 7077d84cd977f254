package node

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/post"
)

// Shout implements presence.Air.
func (n *network) Shout(ctx context.Context, id ident.MeshID, beacon []byte) {
	n.cache.changed()
	m, ok := n.meshes.Get(id)
	if !ok {
		return
	}
	self := m.Self()
	if err := n.radios.say(ctx, id, sayBeacon, append(self[:], beacon...)); err != nil && ctx.Err() == nil {
		n.log.Debug("beacon not shouted", "mesh", id, "error", err)
	}
}

// Roster implements presence.Air.
func (n *network) Roster(ctx context.Context, id ident.MeshID, member ident.PublicKey) (presence.RosterResponse, error) {
	return presence.Roster.Call(ctx, remote{n.asker, id, member}, op.Caller{}, presence.RosterRequest{})
}

// Path implements presence.Air. A connection on which membership is not proved yet
// leads nowhere.
func (n *network) Path(id ident.MeshID, member ident.PublicKey) (string, time.Duration) {
	home, known := n.home(id, member)
	if !known || !n.host.Proved(id, home, member) {
		return "unreachable", 0
	}
	path, ok := n.host.Path(home)
	if !ok {
		return "unreachable", 0
	}
	return path.Kind.String(), path.RTT
}

// Card implements presence.Air.
func (n *network) Card(id ident.MeshID) roster.Node {
	m, ok := n.meshes.Get(id)
	if !ok {
		return roster.Node{}
	}
	addrs := n.Addrs()
	return roster.Node{Bind: m.Bind(), Addrs: addrs[:min(len(addrs), maxCardAddrs)], Heads: m.Heads()}
}

// Met implements presence.Air.
func (n *network) Met(id ident.MeshID, member ident.PublicKey, card roster.Node) {
	m, ok := n.meshes.Get(id)
	if !ok {
		return
	}
	n.later(func(context.Context) {
		if m.Met(member, card.Bind, card.Addrs) {
			n.seek(id)
		}
		if home, ok := n.home(id, member); ok && m.Lacks(card.Heads) {
			n.differ(id, home)
		}
	})
}

// Cry implements message.Air.
func (n *network) Cry(ctx context.Context, id ident.MeshID, raw []byte) error {
	return n.radios.say(ctx, id, sayLetter, raw)
}

// Reaches implements message.Air.
func (n *network) Reaches(id ident.MeshID, members []ident.PublicKey) bool {
	m, ok := n.meshes.Get(id)
	if !ok {
		return false
	}
	near := n.radios.near(id)
	for _, k := range members {
		if home, known := m.Home(k); !known || !near[home] {
			return false
		}
	}
	return true
}

// Send implements message.Mail.
func (n *network) Send(ctx context.Context, id ident.MeshID, to ident.PublicKey, letters [][]byte) error {
	return unreachable(n.post.Send(ctx, id, to, letters...))
}

// SendReceipt implements message.Mail.
func (n *network) SendReceipt(ctx context.Context, id ident.MeshID, to ident.PublicKey, receipt []byte) error {
	return unreachable(n.post.SendReceipt(ctx, id, to, receipt))
}

// home is the node of a member.
func (n *network) home(id ident.MeshID, member ident.PublicKey) (peer.ID, bool) {
	m, ok := n.meshes.Get(id)
	if !ok {
		return "", false
	}
	return m.Home(member)
}

// unreachable puts a failed post into the message feature's words.
func unreachable(err error) error {
	if errors.Is(err, post.ErrUnreachable) || errors.Is(err, post.ErrStopped) {
		return errors.Join(message.ErrUnreachable, err)
	}
	return err
}
