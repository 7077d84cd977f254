package presence

import (
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/address"
	"github.com/claudemesh/claudemesh/node/feature/presence/card"
	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// known is one session of a mesh, from whatever tells of it: this node itself, a
// beacon, or a card.
type known struct {
	roster.Card
	member ident.PublicKey
	own    *live // of this node; nil: another's
	open   bool
	state  roster.State
	seen   time.Time // when it was last there
	sight  roster.Sight
	groups []group.Group
}

// known lists all sessions of a mesh that anything tells of, by member. A beacon that
// lists a session knows more than its card; one that does not, and is newer than the
// card, says that it is closed. The caller holds f.mu.
func (f *Feature) known(m Mesh) map[ident.PublicKey][]known {
	out := make(map[ident.PublicKey][]known)
	told := make(map[ident.PublicKey]bool)
	for _, l := range f.sessions {
		if s, ok := f.ownKnown(l, m); ok {
			told[s.Key] = true
			out[m.Self] = append(out[m.Self], s)
		}
	}
	mono := f.cfg.Mono()
	homes := f.roster(m.ID).Homes
	for member, h := range homes {
		state := h.State(mono)
		for _, c := range h.Beacon.Cards {
			told[c.Key] = true
			if c.Sight == roster.Hiding {
				out[member] = append(out[member], f.hiding(m, member, c))
				continue
			}
			s := known{Card: c, member: member, open: true, state: state, seen: h.Seen, sight: c.Sight, groups: c.Groups}
			out[member] = append(out[member], s)
		}
	}
	for _, c := range f.cardsIn(m.ID) {
		if told[c.key] {
			continue
		}
		h, heard := homes[c.member]
		gone := heard && h.Beacon.Clock.After(c.written)
		out[c.member] = append(out[c.member], c.known(c.Open && !gone && c.member != m.Self))
	}
	return out
}

// hiding is a session that its beacon shows hiding: all there is to see is what its
// card says, which stays as it was when it hid. The caller holds f.mu.
func (f *Feature) hiding(m Mesh, member ident.PublicKey, c roster.Card) known {
	s := known{
		Card:   roster.Card{Key: c.Key, Name: c.Name, Opened: c.Opened, Status: status.Mark{}.Or()},
		member: member, open: true, state: roster.Offline,
	}
	if filed, ok := f.cardsIn(m.ID)[card.Key(member, c.Key)]; ok {
		s = filed.known(true)
	}
	s.sight = roster.Hiding
	return s
}

// ownKnown is a session of this node. The caller holds f.mu.
func (f *Feature) ownKnown(l *live, m Mesh) (known, bool) {
	key, ok := l.keys[m.ID]
	if !ok || l.Closed && l.Ended.IsZero() {
		return known{}, false
	}
	here := l.at(m.ID)
	s := known{
		Card: roster.Card{
			Key: key.Public(), Name: l.Names[m.ID.String()], Status: here.Status, Summary: l.Summary[m.ID.String()], Opened: l.Opened,
			Role: l.Role, Cwd: l.Cwd, Host: l.Host, Kind: l.PeerType, Channel: l.Channel, Model: l.Model, Groups: here.Groups,
		},
		member: m.Self, own: l, open: !l.Closed, state: roster.Online, seen: f.cfg.Now(), sight: l.sight(m.ID), groups: here.Groups,
	}
	if l.Closed {
		s.state, s.seen = roster.Offline, l.Ended
	}
	return s, true
}

// known is a session that only its card tells of.
func (c filed) known(open bool) known {
	s := known{
		Card: roster.Card{
			Key: c.key, Name: address.Shown(c.Name, c.key), Summary: c.Summary, Opened: c.Opened, Role: c.Role, Cwd: c.Cwd, Host: c.Host,
			Kind: c.Kind, Channel: c.Channel, Model: c.Model, Groups: c.Groups,
		},
		member: c.member, open: open, state: roster.Offline, seen: c.Seen, groups: c.Groups,
	}
	s.Card.Status = s.Card.Status.Or()
	switch {
	case c.Person:
		s.sight = roster.Unlisted
	case !c.Visible:
		s.sight = roster.Hiding
	}
	return s
}

// superseded are those of a member's sessions that a later one of the same name stands
// for: they are found by their keys alone. Sessions that are there supersede those
// that are not, and of these the one seen last all others.
func superseded(list []known) map[ident.PublicKey]bool {
	best := make(map[string]known)
	later := func(a, b known) bool { // a is worth more than b
		if here := a.state != roster.Offline; here != (b.state != roster.Offline) {
			return here
		}
		return a.seen.After(b.seen) || a.seen.Equal(b.seen) && a.Key.Compare(b.Key) > 0
	}
	for _, k := range list {
		if k.sight == roster.Unlisted {
			continue
		}
		if b, ok := best[k.Name]; !ok || later(k, b) {
			best[k.Name] = k
		}
	}
	out := make(map[ident.PublicKey]bool)
	for _, k := range list {
		if k.sight != roster.Unlisted && k.state == roster.Offline && best[k.Name].Key != k.Key {
			out[k.Key] = true
		}
	}
	return out
}
