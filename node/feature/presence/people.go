package presence

import (
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// aroundFor is how long somebody counts as everybody after being seen.
const aroundFor = 30 * 24 * time.Hour

// Profile is what a member says of itself, as far as presence needs it.
type Profile struct {
	Avatar, Title, RoleTag string
	// Mode is the message mode of its sessions that name none; empty: the node's.
	Mode string
	// Groups are those the member is in while none of its sessions is open.
	Groups []group.Group
	// Seen is when the profile was written; zero: never.
	Seen time.Time
}

// around is one member as messages to many see it.
type around struct {
	key    ident.PublicKey
	recent bool          // seen in the last 30 days
	open   bool          // some session is open
	groups []group.Group // of the open sessions, or else of the profile
}

// in tells whether the target means the member.
func (a around) in(t group.Target) bool { return t.Means(a.groups) }

// profile asks what a member says of itself. Nobody holds f.mu here.
func (f *Feature) profile(mesh ident.MeshID, member ident.PublicKey) Profile {
	if f.cfg.Profile == nil {
		return Profile{}
	}
	return f.cfg.Profile(mesh, member)
}

// people lists the members of a mesh with the groups that count for them.
func (f *Feature) people(m Mesh) []around {
	members := f.cfg.Meshes.Members(m.ID)
	profiles := make([]Profile, 0, len(members))
	for _, p := range members {
		profiles = append(profiles, f.profile(m.ID, p.Key))
	}
	now := f.MeshTime(m.ID)
	f.mu.Lock()
	defer f.mu.Unlock()
	byMember := f.known(m)
	out := make([]around, 0, len(members))
	for i, p := range members {
		one := around{key: p.Key}
		seen := profiles[i].Seen
		if h, ok := f.roster(m.ID).Homes[p.Key]; ok && h.Seen.After(seen) {
			seen = h.Seen
		}
		for _, s := range byMember[p.Key] {
			if s.seen.After(seen) {
				seen = s.seen
			}
			if s.open && s.sight == roster.Listed {
				one.open = true
				one.groups = append(one.groups, s.groups...)
			}
		}
		if !one.open {
			one.groups = profiles[i].Groups
		}
		one.recent = p.Key == m.Self || now.Sub(seen) <= aroundFor
		out = append(out, one)
	}
	return out
}

// groupHint names the groups there are, for an error message.
func (f *Feature) groupHint(m Mesh) op.Phrase {
	seen := make(map[string]bool)
	for _, p := range f.people(m) {
		for _, g := range p.groups {
			seen["@"+g.Name] = true
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	if len(names) == 0 {
		return op.Phrasef("there are no groups yet: the first session that joins one makes it; @all is everybody")
	}
	slices.Sort(names)
	const most = 20
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return op.Phrasef("groups: %s; @all is everybody", strings.Join(names, ", "))
}
