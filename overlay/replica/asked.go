package replica

import "fmt"

// asked is what a side has asked for in its turn. It may ask once for each thing, and
// pick what it was given a list of: so a turn costs the one who answers no more than
// what it holds, whoever asks.
type asked struct {
	seen  map[request]bool
	picks map[Log]int // how many records of a log that was listed may be picked
}

type request struct {
	log  Log
	kind byte
}

// maxAsked bounds the requests of a turn: want and list of each log of a vector, and
// the evidence.
const maxAsked = 2*maxLogs + 1

// once refuses to be asked for the same again.
func (a *asked) once(l Log, kind byte) error {
	r := request{l, kind}
	if a.seen[r] || len(a.seen) >= maxAsked {
		return fmt.Errorf("%w: frame %d twice in a turn, or too many", ErrProtocol, kind)
	}
	if a.seen == nil {
		a.seen = make(map[request]bool)
	}
	a.seen[r] = true
	return nil
}

// listed notes how long a list was.
func (a *asked) listed(l Log, n int) {
	if a.picks == nil {
		a.picks = make(map[Log]int)
	}
	a.picks[l] = n
}

// pick refuses to give more records of a log than its list had.
func (a *asked) pick(l Log, n int) error {
	if n > a.picks[l] {
		return fmt.Errorf("%w: %d records picked of a log that was not listed, or again", ErrProtocol, n)
	}
	a.picks[l] -= n
	return nil
}
