package roster

import (
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Watch notices who comes and goes in one mesh. It is a pure core, and not safe for
// concurrent use. The zero value is ready.
//
// A session that nobody knew has joined, one that had gone or is older than it is
// known here has returned. A session leaves with the first beacon that no longer
// lists it, or shows it hiding, or when its node was away for the whole grace; away
// and back is nothing to tell. What was like that before the watch began is nothing
// to tell either: see [Watch.Begin].
type Watch struct {
	seen  map[ident.PublicKey]*standing
	count map[ident.PublicKey]int // how many of them a member has
	began time.Time               // by the wall clock
	from  time.Duration           // the same by the monotonic one
}

// standing is what was told of one session.
type standing struct {
	member ident.PublicKey
	card   Card
	here   bool
	heard  bool      // its node was heard since the watch began
	last   time.Time // when it was last there; zero: not known
}

// Turn is how somebody came or went.
type Turn string

// The turns, as the events are called.
const (
	Joined   Turn = "peer_joined"
	Returned Turn = "peer_returned"
	Left     Turn = "peer_left"
)

// News is that a session came or went.
type News struct {
	Turn   Turn
	Member ident.PublicKey
	Card   Card
	// Last is when somebody who returned was there before; zero: not known.
	Last time.Time
}

// Begin starts the watch, or starts it anew after a pause of this node: for one grace
// from now nothing is told of sessions that have come or gone before.
func (w *Watch) Begin(now time.Time, mono time.Duration) {
	w.began, w.from = now, mono
	for _, s := range w.seen {
		s.heard = false
	}
}

// Knew takes note of a session that was there at some time, and is not known to be
// there now.
func (w *Watch) Knew(member ident.PublicKey, card Card, last time.Time) {
	s, ok := w.seen[card.Key]
	if !ok {
		s = w.add(member, card)
	}
	if !s.here && last.After(s.last) {
		s.last = last
	}
}

func (w *Watch) add(member ident.PublicKey, card Card) *standing {
	if w.seen == nil {
		w.seen, w.count = make(map[ident.PublicKey]*standing), make(map[ident.PublicKey]int)
	}
	if w.count[member] >= maxSeen {
		w.forget(member)
	}
	s := &standing{member: member, card: card}
	w.seen[card.Key] = s
	w.count[member]++
	return s
}

// maxSeen is how many sessions of one member are remembered: more than anybody opens in
// weeks, and a bound for one who makes up new ones all the time.
const maxSeen = 4096

// forget drops some session of a member that is not there.
func (w *Watch) forget(member ident.PublicKey) {
	for key, s := range w.seen {
		if s.member == member && !s.here {
			delete(w.seen, key)
			w.count[member]--
			return
		}
	}
}

// Look compares the roster with what was told, and returns what is new.
func (w *Watch) Look(r *Roster, now time.Time, mono time.Duration) []News {
	var out []News
	present := make(map[ident.PublicKey]bool)
	for member, h := range r.Homes {
		state := h.State(mono)
		if state == Offline {
			continue
		}
		for _, c := range h.Beacon.Cards {
			if c.Sight != Listed {
				continue
			}
			present[c.Key] = true
			out = append(out, w.meet(member, h, c, state == Online, mono)...)
		}
	}
	for key, s := range w.seen {
		if s.here && !present[key] {
			s.here, s.last = false, now
			if h, ok := r.Homes[s.member]; ok && h.State(mono) == Offline {
				s.last = h.Seen
			}
			if s.heard {
				out = append(out, News{Turn: Left, Member: s.member, Card: s.card})
			}
		}
	}
	return out
}

// meet looks at one session that is listed by a node that is not offline.
func (w *Watch) meet(member ident.PublicKey, h *Home, c Card, online bool, mono time.Duration) []News {
	s, known := w.seen[c.Key]
	if !known {
		s = w.add(member, c)
	}
	was := *s
	if s.member != member {
		w.count[s.member]--
		w.count[member]++
	}
	s.member, s.card, s.here, s.heard = member, c, true, s.heard || online && h.came >= w.from
	switch {
	case was.here || !online:
		return nil
	case !was.heard && mono < w.from+Grace && !w.recent(h, c):
		return nil
	case known || h.Beacon.Clock.Sub(c.Opened) > Grace:
		return []News{{Turn: Returned, Member: member, Card: c, Last: was.last}}
	default:
		return []News{{Turn: Joined, Member: member, Card: c}}
	}
}

// recent tells whether a session, or its node, started after the watch began. Boot
// numbers are about the seconds at which nodes started.
func (w *Watch) recent(h *Home, c Card) bool {
	return c.Opened.After(w.began) || int64(min(h.Beacon.Boot, 1<<60)) > w.began.Unix()
}
