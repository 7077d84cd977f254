package record

import (
	"sync"

	"github.com/claudemesh/claudemesh/overlay/replica"
)

// flags are what a shelf remembers between its jobs.
type flags struct {
	mu       sync.Mutex           // guards what follows
	compared bool                 // with another replica, since the start
	foreign  bool                 // another copy of this node wrote in the own log
	inc      uint64               // highest incarnation written to since the start
	told     map[replica.Sum]bool // records that others heard of as refused, mostTold at most
}

// mostTold is how many refused records are remembered: they are told of once each, and
// again after a start, or when there are more.
const mostTold = 1024

// first tells whether a record is refused for the first time.
func (f *flags) first(hash replica.Sum) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told[hash] {
		return false
	}
	if f.told == nil || len(f.told) >= mostTold {
		f.told = make(map[replica.Sum]bool)
	}
	f.told[hash] = true
	return true
}

func (f *flags) setCompared() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compared = true
}

// shouts tells whether own records may be shouted: what another copy of this node may
// have written is looked for first.
func (f *flags) shouts() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.compared && !f.foreign
}

func (f *flags) setForeign() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.foreign = true
}

// takeForeign tells whether there was something to take over, and takes the mark away:
// what comes from now on sets it again.
func (f *flags) takeForeign() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.foreign
	f.foreign = false
	return was
}

// grown notes an incarnation that was written to. It tells whether it is a new one.
func (f *flags) grown(inc uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	is := inc > f.inc
	f.inc = max(f.inc, inc)
	return is
}

func (f *flags) incarnation() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.inc
}

// wake has Run look what there is to do.
func (b *Book) wake() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}
