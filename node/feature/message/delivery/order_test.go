package delivery

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestArrange(t *testing.T) {
	line := Line{Priority: Next}
	other := Line{Priority: Now}
	it := func(ord, prev uint64, has bool) Item {
		return Item{Line: line, Ord: ord, Prev: prev, HasPrev: has, Until: Patience}
	}
	cases := []struct {
		name  string
		items []Item
		now   time.Duration
		show  []int
		next  time.Duration
	}{
		{"nothing", nil, 0, nil, 0},
		{"in order", []Item{it(1, 0, false), it(2, 1, true)}, 0, []int{0, 1}, 0},
		{"turned round", []Item{it(2, 1, true), it(1, 0, false)}, 0, []int{1, 0}, 0},
		{"one missing", []Item{it(2, 1, false)}, 0, nil, Patience},
		{"a chain behind one missing", []Item{it(2, 1, false), it(3, 2, true)}, 0, nil, Patience},
		{"both name the one missing", []Item{it(2, 1, false), it(3, 1, false)}, 0, nil, Patience},
		{"patience is over", []Item{it(2, 1, false), it(3, 2, true)}, Patience, []int{0, 1}, 0},
		{"the one before was shown long ago", []Item{it(2, 1, true)}, 0, []int{0}, 0},
		{"one that waits for nothing frees those before", []Item{it(2, 1, false), it(3, 0, false)}, 0, []int{0, 1}, 0},
		{"other lines keep their places", []Item{
			it(3, 2, true), {Line: other, Ord: 9, Until: Patience}, it(2, 0, false),
		}, 0, []int{2, 1, 0}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			show, next := Arrange(c.items, c.now)
			if !slices.Equal(show, c.show) || next != c.next {
				t.Errorf("%v, %v; want %v, %v", show, next, c.show, c.next)
			}
		})
	}
}

// TestArrangeKeepsOrder: whatever arrived how, within a line what is shown at once
// is ascending, nothing is shown twice, and nothing waits longer than its patience.
func TestArrangeKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var items []Item
		ords := rapid.Permutation([]uint64{1, 2, 3, 4, 5, 6, 7, 8}).Draw(t, "arrivals")
		for i, ord := range ords[:rapid.IntRange(0, 8).Draw(t, "n")] {
			items = append(items, Item{
				Line: Line{Priority: Priority(rapid.IntRange(1, 2).Draw(t, "line"))}, Ord: ord, Seq: uint64(i),
				Prev: uint64(rapid.IntRange(0, int(ord)-1).Draw(t, "prev")), HasPrev: rapid.Bool().Draw(t, "has"),
				Until: time.Duration(i) * time.Second,
			})
		}
		now := time.Duration(rapid.IntRange(0, 10).Draw(t, "now")) * time.Second
		show, next := Arrange(items, now)
		last := make(map[Line]uint64)
		shown := make(map[int]bool)
		for _, i := range show {
			if shown[i] || items[i].Ord < last[items[i].Line] {
				t.Fatalf("order %v of %+v", show, items)
			}
			shown[i], last[items[i].Line] = true, items[i].Ord
		}
		for i, it := range items {
			if !shown[i] && (it.Until <= now || it.Prev == 0 || next == 0 || next > it.Until) {
				t.Fatalf("item %d of %+v waits, next %v", i, items, next)
			}
		}
	})
}
