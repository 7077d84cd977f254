package presence

import (
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// MeshTime is what time it is in a mesh: the median (see [roster.Median]) of this node's clock and
// those of the members' nodes that are online and connected with this one, one vote
// per member. Beacons carry the clocks; what one shows now is what it showed then and
// the time since. A clock in a list that somebody else gave counts nothing.
func (f *Feature) MeshTime(mesh ident.MeshID) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var others []time.Time
	if r, ok := f.rosters[mesh]; ok {
		others = r.Votes(f.cfg.Mono())
	}
	return roster.Median(f.cfg.Now(), others)
}
