// Package dag keeps a grow-only graph of ids in which each node names its
// parents, and answers which nodes lie in the past of which.
//
// It knows nothing of what the ids stand for. A Graph is not safe for
// concurrent use; its owner locks. It costs n²/16 bytes for n nodes: 60 KiB
// for 1,000, 6 MiB for 10,000.
package dag

import (
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Set is a set of node indexes.
type Set []uint64

// Has tells whether i is in the set.
func (s Set) Has(i int) bool { return i>>6 < len(s) && s[i>>6]&(1<<(i&63)) != 0 }

// With returns the set with i in it. It may reuse s.
func (s Set) With(i int) Set {
	for i>>6 >= len(s) {
		s = append(s, 0)
	}
	s[i>>6] |= 1 << (i & 63)
	return s
}

// union adds o to s.
func (s Set) union(o Set) {
	for i, w := range o {
		s[i] |= w
	}
}

// Graph holds the nodes. Indexes count up in the order in which nodes were
// added, so a node's past has lower indexes than the node. The zero value is
// an empty graph.
type Graph struct {
	index map[ident.ID]int
	ids   []ident.ID
	depth []int
	past  []Set
	heads map[int]bool
}

// Len is the number of nodes.
func (g *Graph) Len() int { return len(g.ids) }

// Index finds a node.
func (g *Graph) Index(id ident.ID) (int, bool) {
	i, ok := g.index[id]
	return i, ok
}

// ID names a node.
func (g *Graph) ID(i int) ident.ID { return g.ids[i] }

// Depth is the length of the longest way from a node back to a root.
func (g *Graph) Depth(i int) int { return g.depth[i] }

// Past is the set of a node's ancestors, the node itself not among them. The
// caller must not change it.
func (g *Graph) Past(i int) Set { return g.past[i] }

// Before tells whether a lies in the past of b.
func (g *Graph) Before(a, b int) bool { return g.past[b].Has(a) }

// Concurrent tells whether neither of two different nodes lies in the past of
// the other.
func (g *Graph) Concurrent(a, b int) bool {
	return a != b && !g.Before(a, b) && !g.Before(b, a)
}

// Join works out the past that a node with these parents has, without adding
// it. The parents must be in the graph.
func (g *Graph) Join(parents []int) Set {
	s := make(Set, (g.Len()+63)>>6)
	for _, p := range parents {
		s.union(g.past[p])
		s = s.With(p)
	}
	return s
}

// Add puts a node with its past, as Join made it, into the graph and returns
// its index. The id must be new.
func (g *Graph) Add(id ident.ID, parents []int, past Set) int {
	if g.index == nil {
		g.index, g.heads = map[ident.ID]int{}, map[int]bool{}
	}
	i, depth := len(g.ids), 0
	for _, p := range parents {
		depth = max(depth, g.depth[p]+1)
		delete(g.heads, p)
	}
	g.index[id], g.heads[i] = i, true
	g.ids, g.depth, g.past = append(g.ids, id), append(g.depth, depth), append(g.past, past)
	return i
}

// Heads are the nodes that are nobody's parent, by id.
func (g *Graph) Heads() []ident.ID {
	ids := make([]ident.ID, 0, len(g.heads))
	for i := range g.heads {
		ids = append(ids, g.ids[i])
	}
	slices.SortFunc(ids, ident.ID.Compare)
	return ids
}

// Maximal keeps those of nodes that lie in the past of none of them. The
// result is ordered by descending index.
func (g *Graph) Maximal(nodes []int) []int {
	sorted := slices.Clone(nodes)
	slices.Sort(sorted)
	var top []int
	for _, n := range slices.Backward(slices.Compact(sorted)) {
		if !slices.ContainsFunc(top, func(h int) bool { return g.Before(n, h) }) {
			top = append(top, n)
		}
	}
	return top
}

// Compare orders nodes by (depth, id), which no order of arrival changes and
// in which a node comes after its past.
func (g *Graph) Compare(a, b int) int {
	if d := g.depth[a] - g.depth[b]; d != 0 {
		return d
	}
	return g.ids[a].Compare(g.ids[b])
}
