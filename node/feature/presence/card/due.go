package card

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// Keep is how long a closed session stays known.
	Keep = 30 * 24 * time.Hour
	// Again is how often an open session's card is written though nothing changed, so that
	// members that do not meet know who is still around.
	Again = 24 * time.Hour
	// Most is how many sessions of one member are known by cards, the newest: four times
	// as many as are open at once.
	Most = 256
)

// Own is what the card of one of a node's sessions should say.
type Own struct {
	Facts
	// Unknown: it closed before there were cards, and nobody knows it.
	Unknown bool
}

// Due compares a node's sessions with the cards of its member that are shown, both by the
// cards' keys. It gives the cards to be written, and those to be deleted: of sessions that
// closed long ago, or for which there is no room. pending tells whether a card was written
// just now and is not shown yet.
func Due(own map[string]Own, shown map[string]Facts, pending func(key string, said Facts) bool, now time.Time) (write map[string]Facts, drop []string) {
	write = make(map[string]Facts)
	stay := make(map[string]Facts) // what there will be
	for key, s := range own {
		old, have := shown[key]
		said := s.Facts
		if have && !old.Visible && !said.Visible {
			said = old // while it hides its card stays what it was then
			said.Open = s.Open
		}
		if over(said, now) {
			if have {
				drop = append(drop, key)
			}
			continue
		}
		if !have && s.Unknown {
			continue
		}
		stay[key] = s.Facts
		if !pending(key, said) && (!have || outdated(old, said, now)) {
			write[key] = said
		}
	}
	for key, old := range shown {
		if _, mine := own[key]; mine {
			continue // else it is of a session that this node has forgotten
		}
		switch {
		case old.Open:
			old.Open = false
			write[key], stay[key] = old, old
		case over(old, now):
			drop = append(drop, key)
		default:
			stay[key] = old
		}
	}
	for _, key := range surplus(stay) {
		delete(write, key)
		if _, have := shown[key]; have {
			drop = append(drop, key)
		}
	}
	return write, drop
}

// over tells whether a session closed so long ago that nobody needs to know it.
func over(c Facts, now time.Time) bool { return !c.Open && now.Sub(c.Seen) >= Keep }

// outdated tells whether a card that is shown should say something else, or say again
// that the session is there.
func outdated(old, said Facts, now time.Time) bool {
	return !Same(old, said) || said.Open && said.Visible && now.Sub(old.Seen) >= Again
}

// surplus are those of a node's cards for which there is no room: of the closed ones
// those that were seen longest ago.
func surplus(cards map[string]Facts) []string {
	keys := slices.SortedFunc(maps.Keys(cards), func(a, b string) int {
		x, y := cards[a], cards[b]
		switch {
		case x.Open != y.Open && x.Open:
			return -1
		case x.Open != y.Open:
			return 1
		}
		return cmp.Or(y.Seen.Compare(x.Seen), cmp.Compare(a, b))
	})
	return keys[min(len(keys), Most):]
}
