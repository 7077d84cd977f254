package presence

import (
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// State is whether a session is there.
type State string

// The states of a session as other nodes see it.
const (
	Online  State = "online"  // its node's lease runs
	Away    State = "away"    // the lease is over, the grace is not
	Offline State = "offline" // known, not there
)

// roster is what the beacons of one mesh have told. It is a pure core: callers
// give monotonic time, it does no I/O. It is not safe for concurrent use.
type roster struct {
	homes map[ident.PublicKey]*home
}

// home is the newest beacon of one member's node.
type home struct {
	beacon beacon
	raw    []byte        // the signed statement, for newcomers
	ends   time.Duration // end of the lease on the monotonic clock
	seen   time.Time     // wall clock of its arrival, shown only
}

func newRoster() *roster { return &roster{homes: make(map[ident.PublicKey]*home)} }

// apply takes a verified beacon that is age old. It reports whether the beacon was
// newer than what was known: an equal or older one changes nothing, so that no list
// makes a silent session online again.
func (r *roster) apply(member ident.PublicKey, b beacon, raw []byte, age, mono time.Duration, wall time.Time) bool {
	old, known := r.homes[member]
	if known && (b.boot < old.beacon.boot || b.boot == old.beacon.boot && b.seq <= old.beacon.seq) {
		return false
	}
	r.homes[member] = &home{beacon: b, raw: raw, ends: mono + b.lease - age, seen: wall.Add(-age)}
	return true
}

// state is a pure function of the lease and the time.
func (h *home) state(mono time.Duration) State {
	switch {
	case mono < h.ends:
		return Online
	case mono < h.ends+Grace:
		return Away
	default:
		return Offline
	}
}

// restart gives every running lease its full length anew: after a pause of this
// node (sleep), silence says nothing about the others.
func (r *roster) restart(mono, pause time.Duration) {
	for _, h := range r.homes {
		if h.state(mono-pause) == Online {
			h.ends = mono + h.beacon.lease
		}
	}
}

// keep drops members that are no longer in the mesh.
func (r *roster) keep(members map[ident.PublicKey]bool) {
	for m := range r.homes {
		if !members[m] {
			delete(r.homes, m)
		}
	}
}
