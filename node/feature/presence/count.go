package presence

import (
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Count adds to the statistics of a session of this node, named by its local id:
// messages that came in and went out, calls of tools, and errors among them.
func (f *Feature) Count(session string, in, out, calls, errors int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.sessions[session]
	if !ok {
		return
	}
	for n, to := range map[*uint64]int{&l.counts.In: in, &l.counts.Out: out, &l.counts.Calls: calls, &l.counts.Errors: errors} {
		*n += uint64(max(to, 0))
	}
}

// ownStats are those of this node's sessions. The caller holds f.mu.
func (f *Feature) ownStats(m Mesh) []PeerStats {
	var out []PeerStats
	now := f.cfg.Now()
	for _, l := range f.sessions {
		if s, ok := f.ownKnown(l, m); ok && s.open && s.sight != roster.Unlisted {
			out = append(out, PeerStats{Name: s.Name, Session: s.Key, Member: m.Self, Own: true, Online: true, Seen: now, Groups: s.groups, Counts: l.sum(now)})
		}
	}
	return out
}

// sum is what the session did with the time it is open now.
func (l *live) sum(now time.Time) roster.Counts {
	c := l.counts
	if !l.Closed {
		c.Up += max(now.Sub(l.since), 0)
	}
	c.Up = c.Up.Truncate(time.Second)
	return c
}

// PeerStats is what one session did, all in all.
type PeerStats struct {
	Name    string
	Session ident.PublicKey
	Member  ident.PublicKey
	// Own is true for this node's sessions.
	Own bool
	// Online tells whether it is there now; Seen is when it was last heard of.
	Online bool
	Seen   time.Time
	// Groups are those it is in.
	Groups []group.Group
	roster.Counts
}

// Stats lists the statistics of all sessions of a mesh that are there, or away for
// now, by name. Others' are as their nodes last told, at most a minute old while they
// are online.
func (f *Feature) Stats(mesh ident.MeshID) []PeerStats {
	m, ok := f.mesh(mesh)
	if !ok {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.ownStats(m)
	mono := f.cfg.Mono()
	for member, h := range f.roster(m.ID).Homes {
		state := h.State(mono)
		if state == roster.Offline {
			continue
		}
		for _, c := range h.Beacon.Cards {
			if c.Sight == roster.Listed {
				out = append(out, PeerStats{
					Name: c.Name, Session: c.Key, Member: member, Online: state == roster.Online, Seen: h.Seen, Groups: c.Groups, Counts: c.Counts,
				})
			}
		}
	}
	return out
}
