package roster

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

// Roster is what the beacons of one mesh have told. It is a pure core: callers
// give monotonic time, it does no I/O. It is not safe for concurrent use.
type Roster struct {
	// Homes are the nodes by their members. Readers do not change it.
	Homes map[ident.PublicKey]*Home
}

// Home is the newest beacon of one member's node.
type Home struct {
	Beacon Beacon
	Raw    []byte        // the signed statement, for newcomers
	Seen   time.Time     // wall clock of its arrival, shown only
	Heard  bool          // it came by itself, not in a list: its clock is worth a vote
	came   time.Duration // its arrival on the monotonic clock
	ends   time.Duration // end of the lease on the monotonic clock
}

// New makes an empty roster.
func New() *Roster { return &Roster{Homes: make(map[ident.PublicKey]*Home)} }

// Apply takes a verified beacon that is age old. It reports whether the beacon was
// newer than what was known: an equal or older one changes nothing, so that no list
// makes a silent session online again.
func (r *Roster) Apply(member ident.PublicKey, b Beacon, raw []byte, age, mono time.Duration, wall time.Time) bool {
	old, known := r.Homes[member]
	if known && !b.Newer(old.Beacon) {
		return false
	}
	r.Homes[member] = &Home{Beacon: b, Raw: raw, came: mono, ends: mono + b.Lease - age, Seen: wall.Add(-age)}
	return true
}

// State is a pure function of the lease and the time.
func (h *Home) State(mono time.Duration) State {
	switch {
	case mono < h.ends:
		return Online
	case mono < h.ends+Grace:
		return Away
	default:
		return Offline
	}
}

// State is how the node of a member is doing; of one that was never heard, offline.
func (r *Roster) State(member ident.PublicKey, mono time.Duration) State {
	if h, ok := r.Homes[member]; ok {
		return h.State(mono)
	}
	return Offline
}

// Restart gives every running lease its full length anew: after a pause of this
// node (sleep), silence says nothing about the others.
func (r *Roster) Restart(mono, pause time.Duration) {
	for _, h := range r.Homes {
		if h.State(mono-pause) == Online {
			h.ends = mono + h.Beacon.Lease
		}
	}
}

// Keep drops members that are no longer in the mesh.
func (r *Roster) Keep(members map[ident.PublicKey]bool) {
	for m := range r.Homes {
		if !members[m] {
			delete(r.Homes, m)
		}
	}
}

// Age is how old the beacon is on the monotonic clock.
func (h *Home) Age(mono time.Duration) time.Duration { return h.Beacon.Lease - (h.ends - mono) }
