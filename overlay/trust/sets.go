package trust

import (
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// maxSets bounds how many sets EpochSets names.
const maxSets = 4096

// EpochSets are the sets of epochs that may have been the heads together at some
// node at some time, by the id that names each in what was sealed then (EpochID):
// the present heads, every epoch alone, and those that do not know each other. Small
// sets come first where there are too many: more than two epochs at once are rare.
func (l *Log) EpochSets() map[ident.ID][]ident.ID {
	now := l.State().EpochHeads
	out := map[ident.ID][]ident.ID{EpochID(now): now}
	l.mu.Lock()
	defer l.mu.Unlock()
	var level [][]int
	for i, e := range l.entries {
		if _, ok := commitOf(e.body); ok {
			level = append(level, []int{i})
		}
	}
	epochs := level
	for len(level) > 0 {
		for _, set := range level {
			if len(out) >= maxSets {
				return out
			}
			ids := l.idsOf(set)
			out[EpochID(ids)] = ids
		}
		level = l.widen(level, epochs)
	}
	return out
}

// widen adds to each set every later epoch that is concurrent with all of it.
func (l *Log) widen(sets, epochs [][]int) [][]int {
	var out [][]int
	for _, set := range sets {
		for _, e := range epochs {
			one := e[0]
			apart := one > set[len(set)-1] && !slices.ContainsFunc(set, func(s int) bool { return !l.graph.Concurrent(s, one) })
			if !apart {
				continue
			}
			if out = append(out, append(slices.Clone(set), one)); len(out) >= maxSets {
				return out
			}
		}
	}
	return out
}

func (l *Log) idsOf(nodes []int) []ident.ID {
	ids := make([]ident.ID, 0, len(nodes))
	for _, n := range nodes {
		ids = append(ids, l.graph.ID(n))
	}
	return sorted(ids)
}
