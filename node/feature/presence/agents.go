package presence

import (
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Agent is an open session of an agent on this machine, whichever meshes it is in.
type Agent struct {
	ID, Name, Kind string
	PID            int
	Attached       bool
}

// Agents lists them by their ids.
func (f *Feature) Agents() []Agent {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Agent
	for _, l := range f.sessions {
		if l.Closed || l.ID == UserSession {
			continue
		}
		a := Agent{ID: l.ID, Name: l.Base, Kind: l.Channel, PID: l.PID, Attached: l.follow > 0}
		for _, name := range l.Names {
			if a.Name == "" {
				a.Name = name
			}
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Agent) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Clocks tells how far the clocks of the other members' nodes that are online are ahead
// of this one, in ascending order.
func (f *Feature) Clocks(mesh ident.MeshID) []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.rosters[mesh]
	if !ok {
		return nil
	}
	now := f.cfg.Now()
	var out []int64
	for _, v := range r.Votes(f.cfg.Mono()) {
		out = append(out, v.Sub(now).Milliseconds())
	}
	slices.Sort(out)
	return out
}
