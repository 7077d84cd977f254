package node

import (
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// seek keeps this node connected to the homes of a mesh's members.
func (n *network) seek(id ident.MeshID) {
	m, ok := n.meshes.Get(id)
	if !ok {
		n.unseek()
		return
	}
	for p, addrs := range m.Homes() {
		n.want(p, addrs)
	}
	n.unseek()
}

// seekAll is seek for all meshes.
func (n *network) seekAll() {
	for _, m := range n.meshes.All() {
		n.seek(m.ID())
	}
}

// want has a node dialled until it is connected.
func (n *network) want(p peer.ID, addrs []string) {
	var parsed []ma.Multiaddr
	for _, text := range addrs {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			continue // of a newer version, or nonsense: other addresses may do
		}
		if bare, id := peer.SplitAddr(a); id == "" || id == p {
			parsed = append(parsed, bare)
		}
	}
	n.mu.Lock()
	n.wanted[p] = true
	n.mu.Unlock()
	n.finder.Want(p, parsed...)
}

// unseek stops dialling nodes that are nobody's home any more.
func (n *network) unseek() {
	homes := make(map[peer.ID]bool)
	for _, m := range n.meshes.All() {
		for p := range m.Homes() {
			homes[p] = true
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.wanted {
		if !homes[p] {
			delete(n.wanted, p)
			n.finder.Forget(p)
		}
	}
}
