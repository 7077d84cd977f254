package grant

import (
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Change is what a member has said of another, for this node's account.
type Change struct {
	Mesh ident.MeshID
	// Event is one of the words below.
	Event string
	// Peer is of whom; without a key: of everybody else.
	Peer Member
	// Caps are what it may do from now on, where the event is GrantsChanged or
	// DefaultChanged.
	Caps []string
	// Writes tells whether its writes to shared state count then.
	Writes string
}

// What can change.
const (
	GrantsChanged   = "grants_changed"
	GrantsForgotten = "grants_forgotten" // the default holds again
	DefaultChanged  = "default_grants_changed"
	PeerBlocked     = "peer_blocked"
	PeerVerified    = "peer_verified"
	PeerUnverified  = "peer_unverified"
)

// account has a change noted in its commit.
func (f *Feature) account(tx *store.Tx, changes ...Change) error {
	if f.cfg.Account == nil {
		return nil
	}
	for _, c := range changes {
		if err := f.cfg.Account(tx, c); err != nil {
			return err
		}
	}
	return nil
}

// ruled is the change from one rule to another, none if they are the same; a nil rule
// is none of its own.
func ruled(mesh ident.MeshID, who Member, was, is *rule) []Change {
	if was == is || was != nil && is != nil && *was == *is {
		return nil
	}
	c := Change{Mesh: mesh, Event: GrantsChanged, Peer: who}
	switch {
	case is == nil:
		c.Event = GrantsForgotten
		return []Change{c}
	case who.Key == everybody:
		c.Event = DefaultChanged
	case is.blocks():
		c.Event = PeerBlocked
		return []Change{c}
	}
	c.Caps, c.Writes = is.caps.names(), is.writes()
	return []Change{c}
}

// marked are the changes from some marks to others.
func marked(mesh ident.MeshID, was, is map[ident.PublicKey]mark, who Member) []Change {
	var out []Change
	for key, m := range was {
		if _, still := is[key]; !still {
			out = append(out, Change{Mesh: mesh, Event: PeerUnverified, Peer: Member{Key: key, Name: m.Name}})
		}
	}
	if _, now := is[who.Key]; now {
		out = append(out, Change{Mesh: mesh, Event: PeerVerified, Peer: who})
	}
	return out
}
