package presence

import (
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
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

// Twin tells whether another node signs with the own member key in a mesh, as one that
// runs from a copy of this node's folder does. Only the one of the two that has said
// less can tell.
func (f *Feature) Twin(mesh ident.MeshID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.twins[mesh]
}

// ownEcho looks at a beacon of the own member: an echo, mostly, of this node.
func (f *Feature) ownEcho(mesh ident.MeshID, self ident.PublicKey, raw []byte) {
	stmt, err := ident.ParseStatement(raw, roster.MaxBeacon)
	if err != nil || stmt.Verify(ident.KindBeacon, mesh, self) != nil {
		return
	}
	b, err := roster.Decode(stmt.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	later := b.Boot > f.boot || b.Boot == f.boot && b.Seq > f.seq
	if !later || b.Clock.Before(f.began) || f.twins[mesh] {
		return // this run of the node has said it, or an earlier one
	}
	if f.twins == nil {
		f.twins = make(map[ident.MeshID]bool)
	}
	f.twins[mesh] = true
	f.cfg.Log.Error("another node signs with this member's key: it may run from a copy of this node's folder", "mesh", mesh)
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
