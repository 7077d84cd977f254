package message

import (
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/cause"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// gate is the sessions of one mesh as they were at one moment, and what offering
// to them found out.
type gate struct {
	mesh     ident.MeshID
	member   ident.PublicKey
	sessions []Self
	age      time.Duration
	now      time.Time // by the wall clock
	recent   *recent

	// later is when the first of the entries held for another may be shown;
	// knocked says that the doors have something to do at once.
	later   time.Duration
	knocked bool
}

// open asks who is there. Callers compare f.gates before and after a commit: a
// session that changed in between knocks again.
func (f *Feature) open(mesh ident.MeshID, member ident.PublicKey) *gate {
	return &gate{mesh: mesh, member: member, sessions: f.cfg.Sessions.Local(mesh), age: f.age.now(), now: f.cfg.Now(), recent: f.recent}
}

// again forgets what an attempt found out, as an operation may run twice.
func (g *gate) again() *gate {
	c := *g
	c.later, c.knocked = 0, false
	return &c
}

// choose picks the session that takes an entry now.
func (g *gate) choose(e inbox.Entry) (Self, delivery.Decision) {
	if e.Quiet {
		return Self{}, delivery.Hold
	}
	candidates := make([]delivery.Candidate, 0, len(g.sessions))
	found := make([]int, 0, len(g.sessions))
	for i, s := range g.sessions {
		if e.Address == s.Session || e.Address == g.member {
			candidates = append(candidates, delivery.Candidate{
				Status: s.Status, Mode: s.Mode, Attached: s.Attached, LastActive: s.LastActive,
				Excluded: e.Address == g.member && e.Session == s.Session,
			})
			found = append(found, i)
		}
	}
	i, d := delivery.Choose(e.Priority, candidates)
	if i < 0 {
		return Self{}, delivery.Hold
	}
	return g.sessions[found[i]], d
}

// arrived offers a new entry, with others of its line where it frees them.
func (g *gate) arrived(tx *store.Tx, in inbox.Box, e inbox.Entry, m letter.Message) error {
	to, d := g.choose(e)
	switch d {
	case delivery.Hold:
		return nil
	case delivery.Hint:
		g.knocked = true
		return nil
	}
	alone, err := in.Alone(e)
	if err != nil {
		return err
	}
	if alone {
		return g.push(tx, in, e, m, to)
	}
	show, later, err := in.Showable(g.mesh, e.Address, g.age)
	if err != nil {
		return err
	}
	g.wait(later)
	for _, e := range show {
		if err := g.offer(tx, in, e); err != nil {
			return err
		}
	}
	return nil
}

// offer pushes an entry that may be shown, if a gate is open for it.
func (g *gate) offer(tx *store.Tx, in inbox.Box, e inbox.Entry) error {
	to, d := g.choose(e)
	if d == delivery.Hint {
		g.knocked = true
	}
	if d != delivery.Push {
		return nil
	}
	m, err := in.Text(e)
	if err != nil {
		return err
	}
	return g.push(tx, in, e, m, to)
}

// push marks an entry and appends it to the feed.
func (g *gate) push(tx *store.Tx, in inbox.Box, e inbox.Entry, m letter.Message, to Self) error {
	e, changed, err := in.Happen(e, delivery.Pushed, to.Session, g.age)
	if err != nil || !changed {
		return err
	}
	g.recent.offered(e.Key, g.age)
	if err := remember(tx, e, m, to.Session, g.now, g.age); err != nil {
		return err
	}
	return announce(tx, to, op.TopicMessage, shown(e, m, g.member))
}

// remember notes what a session is shown: what it writes next may go back to it.
func remember(tx *store.Tx, e inbox.Entry, m letter.Message, to ident.PublicKey, at time.Time, age time.Duration) error {
	if isNotice(m) {
		return nil
	}
	return cause.In(tx).SetLast(to, cause.Shown{
		Cause: m.Cause, Depth: m.Depth, At: at.Add(time.Millisecond), Age: age, ID: e.ID, Origin: e.Origin, Session: e.Session,
	})
}

func (g *gate) wait(later time.Duration) {
	if later > 0 && (g.later == 0 || later < g.later) {
		g.later = later
	}
}
