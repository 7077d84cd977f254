package delivery

import (
	"cmp"
	"slices"
	"time"
)

// Patience is how long an entry waits for the one before it.
const Patience = 10 * time.Second

// Line is what is kept in order: the messages of one origin and priority to one
// address.
type Line struct {
	Origin   [32]byte
	Priority Priority
}

// Item is a waiting entry of an address, as Arrange looks at it. Until is when
// its patience is over.
type Item struct {
	Line    Line
	Ord     uint64 // the sender's clock at acceptance
	Prev    uint64 // Ord of the one before it, 0 for none
	HasPrev bool   // whether the inbox has, or had, that one
	Seq     uint64 // the order of arrival here
	Until   time.Duration
}

// Arrange tells which of the waiting items of one address may be shown at a
// time, as indices in the order of showing, and when the first of the others may
// be (0: there is none). Items come in the order of arrival; those of one line
// change places among themselves only.
func Arrange(items []Item, now time.Duration) (show []int, next time.Duration) {
	lines := make(map[Line][]int)
	for i, it := range items {
		lines[it.Line] = append(lines[it.Line], i)
	}
	place := make([]int, len(items)) // what is shown where item i stands; -1: nothing
	for _, slots := range lines {
		byOrd := slices.Clone(slots)
		slices.SortFunc(byOrd, func(a, b int) int {
			return cmp.Or(cmp.Compare(items[a].Ord, items[b].Ord), cmp.Compare(items[a].Seq, items[b].Seq))
		})
		ready := readyCount(items, byOrd, now)
		for n, slot := range slots {
			place[slot] = -1
			if n < ready {
				place[slot] = byOrd[n]
				continue
			}
			if until := items[byOrd[n]].Until; next == 0 || until < next {
				next = until
			}
		}
	}
	for _, i := range place {
		if i >= 0 {
			show = append(show, i)
		}
	}
	return show, next
}

// readyCount tells how many items of a line, ascending, may be shown. One that
// waits for nothing frees all before it: the sender has finished with whatever
// they waited for, or their patience is over too.
func readyCount(items []Item, byOrd []int, now time.Duration) int {
	held := make(map[uint64]bool)
	ready := 0
	for n, i := range byOrd {
		it := items[i]
		if it.Prev != 0 && now < it.Until && (!it.HasPrev || held[it.Prev]) {
			held[it.Ord] = true
			continue
		}
		ready = n + 1
	}
	return ready
}
