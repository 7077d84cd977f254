package dag

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// TestPast compares the graph with a walk over the parents.
func TestPast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g Graph
		var parents [][]int
		n := rapid.IntRange(1, 150).Draw(t, "nodes")
		for i := range n {
			var ps []int
			if i > 0 {
				ps = rapid.SliceOfNDistinct(rapid.IntRange(0, i-1), 1, min(i, 4), rapid.ID[int]).Draw(t, "parents")
			}
			parents = append(parents, ps)
			if got := g.Add(ident.ID{byte(i), byte(i >> 8), 1}, ps, g.Join(ps)); got != i {
				t.Fatalf("index %d instead of %d", got, i)
			}
		}
		before := func(a, b int) bool {
			seen, todo := map[int]bool{}, []int{b}
			for len(todo) > 0 {
				next := todo[len(todo)-1]
				todo = todo[:len(todo)-1]
				for _, p := range parents[next] {
					if !seen[p] {
						seen[p] = true
						todo = append(todo, p)
					}
				}
			}
			return seen[a]
		}
		for range 50 {
			a, b := rapid.IntRange(0, n-1).Draw(t, "a"), rapid.IntRange(0, n-1).Draw(t, "b")
			if g.Before(a, b) != before(a, b) {
				t.Fatalf("Before(%d, %d) = %v", a, b, g.Before(a, b))
			}
			if g.Concurrent(a, b) != (a != b && !before(a, b) && !before(b, a)) {
				t.Fatalf("Concurrent(%d, %d)", a, b)
			}
			if before(a, b) && (g.Depth(a) >= g.Depth(b) || g.Compare(a, b) >= 0) {
				t.Fatalf("%d is in the past of %d and not before it in order", a, b)
			}
		}
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		var heads []ident.ID
		for _, i := range g.Maximal(all) {
			heads = append(heads, g.ID(i))
		}
		slices.SortFunc(heads, ident.ID.Compare)
		if !slices.Equal(heads, g.Heads()) {
			t.Fatalf("heads %v, maximal %v", g.Heads(), heads)
		}
	})
}
