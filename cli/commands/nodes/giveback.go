package nodes

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// lookEvery is how often a node looks whether it may give memory back.
	lookEvery = 15 * time.Second
	// quietly is how much a node that has nothing to do allocates between two looks.
	quietly = 8 << 20
	// worthwhile is how much must be to spare: a collection costs some milliseconds.
	worthwhile = 6 << 20
)

// memory is what the process knows of its heap, in bytes.
type memory struct {
	allocated uint64 // ever
	live      uint64 // what the last collection found in use
	objects   uint64 // live, and garbage since then
	free      uint64 // in no use, and not given back
}

// spare is what a collection would free, at most, and what is free.
func (m memory) spare() uint64 {
	return m.objects - min(m.live, m.objects) + m.free
}

// idle tells whether memory is to be given back: there is enough of it, and since the
// look before the node had nothing to do, so that it will not need it again at once.
func (m memory) idle(before memory) bool {
	return m.allocated-before.allocated <= quietly && m.spare() >= worthwhile
}

// giveBack returns to the system what a busy time left behind, once it is over, until
// ctx ends. By itself the runtime keeps as much as it took at the last collection,
// several times of what a node needs: see node.GCPercent.
func giveBack(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for before := inUse(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := inUse()
		if now.idle(before) {
			debug.FreeOSMemory()
		}
		before = now
	}
}

func inUse() memory {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	return memory{
		allocated: samples[0].Value.Uint64(), live: samples[1].Value.Uint64(),
		objects: samples[2].Value.Uint64(), free: samples[3].Value.Uint64(),
	}
}
