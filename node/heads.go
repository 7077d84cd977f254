package node

import (
	"context"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// shoutHeads tells the members connected now what the admin log's heads are, unless
// they have heard just that: whoever learns of a change by a shout need not repeat it.
func (n *network) shoutHeads(ctx context.Context, id ident.MeshID) {
	m, ok := n.meshes.Get(id)
	if !ok {
		return
	}
	heads := m.Heads()
	n.mu.Lock()
	heard := sameIDs(n.shouted[id], heads)
	n.mu.Unlock()
	if heard {
		return
	}
	var body []byte
	for _, h := range heads {
		body = append(body, h[:]...)
	}
	if err := n.radios.say(ctx, id, sayHeads, body); err != nil && ctx.Err() == nil {
		n.log.Debug("heads not shouted", "mesh", id, "error", err)
	}
}

func (n *network) hearHeads(m *mesh.Mesh, from peer.ID, body []byte) gossip.Verdict {
	heads, ok := splitIDs(body)
	if !ok {
		return gossip.Reject
	}
	n.mu.Lock()
	if n.shouted == nil {
		n.shouted = make(map[ident.MeshID][]ident.ID)
	}
	n.shouted[m.ID()] = heads
	n.mu.Unlock()
	if m.Lacks(heads) {
		n.differ(m.ID(), from)
	}
	return gossip.Accept
}

// sameIDs tells whether two lists hold the same ids, in any order.
func sameIDs(a, b []ident.ID) bool {
	for _, id := range a {
		if !slices.Contains(b, id) {
			return false
		}
	}
	return len(a) == len(b)
}

// splitIDs reads ids one behind the other.
func splitIDs(body []byte) ([]ident.ID, bool) {
	const size, most = len(ident.ID{}), trust.MaxParents
	if len(body)%size != 0 || len(body)/size > most {
		return nil, false
	}
	out := make([]ident.ID, 0, len(body)/size)
	for ; len(body) > 0; body = body[size:] {
		out = append(out, ident.ID(body[:size]))
	}
	return out, true
}

// neighbour is one end of an exchange of admin logs.
type neighbour struct {
	mesh ident.MeshID
	peer peer.ID
}

// differ exchanges admin logs with a neighbour whose log is not ours. While that
// goes on, further hints make it run once more, however many there are.
func (n *network) differ(id ident.MeshID, from peer.ID) {
	with := neighbour{id, from}
	n.mu.Lock()
	_, runs := n.differing[with]
	lives := n.life != nil
	if lives {
		n.differing[with] = runs
	}
	n.mu.Unlock()
	if runs || !lives {
		return
	}
	n.spawn(func(ctx context.Context) {
		for n.exchange(ctx, with) {
		}
	})
}

// exchange runs one exchange of admin logs and tells whether another was asked for
// meanwhile.
func (n *network) exchange(ctx context.Context, with neighbour) (again bool) {
	ctx, cancel := context.WithTimeout(ctx, meetFor)
	defer cancel()
	if err := n.host.Sync(ctx, with.mesh, with.peer); err != nil {
		n.log.Debug("admin log not exchanged", "mesh", with.mesh, "peer", with.peer, "error", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if again = n.differing[with] && n.life != nil; again {
		n.differing[with] = false
	} else {
		delete(n.differing, with)
	}
	return again
}
