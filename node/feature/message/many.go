package message

import (
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/cause"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// crowd is whom a message to many means on this node.
type crowd struct {
	open   []ident.PublicKey // open sessions
	member bool              // there are none, but the member is meant
	prev   uint64            // of the last message to many before it that meant anybody here
}

// match finds whom the arrivals to many mean here, outside of any transaction.
func (f *Feature) match(mesh ident.MeshID, arrivals []*incoming) {
	for _, a := range arrivals {
		if a.news != nil || !a.everyone() || a.verdict != delivery.Good && a.verdict != delivery.Blocked {
			continue
		}
		a.crowd = crowd{}
		for _, target := range a.msg.Targets {
			open, member := f.cfg.Crowd.Matching(mesh, target)
			for _, k := range open {
				if k != a.msg.Session {
					a.crowd.open = add(a.crowd.open, k)
				}
			}
			a.crowd.member = a.crowd.member || member
		}
		for _, b := range a.before {
			if f.means(mesh, b.Targets) {
				a.crowd.prev = b.Ord
				break
			}
		}
	}
}

// means tells whether targets mean anybody here.
func (f *Feature) means(mesh ident.MeshID, targets []string) bool {
	for _, t := range targets {
		if open, member := f.cfg.Crowd.Matching(mesh, t); member || len(open) > 0 {
			return true
		}
	}
	return false
}

// everyone tells whether this home is to find out who is meant.
func (a *incoming) everyone() bool {
	n := len(a.letter.Addresses)
	return n > 0 && a.letter.Addresses[n-1].Index == letter.Everyone && a.msg.Reach == letter.Mesh
}

// for whom an arriving message to many is kept: those named, and the sessions that
// groups mean, who absorb their member. If nobody else is, the member is, quietly.
func (a *incoming) meant(self ident.PublicKey) (addresses []ident.PublicKey, quiet bool) {
	named := false // the member itself
	for _, to := range a.letter.Addresses {
		if to.Index == letter.Everyone {
			continue
		}
		k := a.msg.To[to.Index]
		named = named || k == self
		if k != self || len(a.crowd.open) == 0 {
			addresses = append(addresses, k)
		}
	}
	for _, k := range a.crowd.open {
		addresses = add(addresses, k)
	}
	if len(addresses) == 0 && a.crowd.member {
		return []ident.PublicKey{self}, !named
	}
	return addresses, false
}

// spread puts a message to many into the inbox of everybody here it means, once, and
// returns what the receipt says. Who comes or goes later changes nothing.
func (f *Feature) spread(tx *store.Tx, g *gate, a *incoming) (items []letter.Item, added bool, err error) {
	in := inbox.In(tx)
	have, ok, err := in.Spread(g.mesh, a.msg.Origin, a.msg.ID)
	if err != nil {
		return nil, false, err
	}
	arrival := delivery.Arrival{Same: ok && have.Hash == a.hash, Verdict: a.verdict, Room: true}
	meant, quiet := a.meant(g.member)
	if ok {
		arrival.Have, meant = delivery.Waiting, have.Addresses
	} else if arrival.Room, err = in.Room(g.mesh, len(meant), len(a.letter.Statement), f.limits.Inbox); err != nil {
		return nil, false, err
	}
	if !arrival.Room && a.reason == "" {
		a.reason = "the inbox is full"
	}
	next, o := delivery.Arrive(arrival)
	if a.air && (ok || o != delivery.ODelivered || len(meant) == 0) {
		return nil, false, nil // a letter asks again for what is not said
	}
	if !ok && next != delivery.Absent {
		if err := f.spreadNew(tx, g, a, next, meant, quiet); err != nil {
			return nil, false, err
		}
		added = len(meant) > 0
	}
	if o == delivery.Silent {
		return nil, added, nil
	}
	item := a.item(o)
	if o == delivery.ODelivered {
		item.Addresses = meant
	}
	return []letter.Item{item}, added, nil
}

func (f *Feature) spreadNew(tx *store.Tx, g *gate, a *incoming, state delivery.Entry, meant []ident.PublicKey, quiet bool) error {
	in := inbox.In(tx)
	prev := max(a.letter.Addresses[len(a.letter.Addresses)-1].Prev, a.crowd.prev)
	err := in.AddSpread(inbox.Spread{
		Mesh: g.mesh, Origin: a.msg.Origin, ID: a.msg.ID, Hash: a.hash, Age: g.age,
		Priority: a.msg.Priority, Ord: a.letter.Ord, Prev: prev, Addresses: meant,
	})
	if err != nil {
		return err
	}
	for _, s := range g.sessions {
		// What comes after it may wait at a session that it was not for.
		k := inbox.Key{Mesh: g.mesh, Address: s.Session, Origin: a.msg.Origin}
		g.knocked = g.knocked || in.Followed(k, a.msg.Priority, a.letter.Ord)
	}
	for _, k := range meant {
		key := inbox.Key{Mesh: g.mesh, Address: k, ID: a.msg.ID, Origin: a.msg.Origin}
		if _, there, err := in.Get(key); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		e := f.entry(g, a, key, state, prev)
		e.Quiet = quiet
		if e, err = in.Add(e, a.letter.Statement); err != nil {
			return err
		}
		if state != delivery.Waiting {
			continue
		}
		if err := g.arrived(tx, in, e, a.msg); err != nil {
			return err
		}
	}
	return nil
}

// entry is what an arriving letter becomes for one address.
func (f *Feature) entry(g *gate, a *incoming, k inbox.Key, state delivery.Entry, prev uint64) inbox.Entry {
	return inbox.Entry{
		Key: k, Hash: a.hash, State: state, Ord: a.letter.Ord, Prev: prev, Priority: a.msg.Priority,
		Age: g.age, Arrived: time.UnixMilli(f.cfg.Now().UnixMilli()), Session: a.msg.Session, Name: a.name,
	}
}

// told tells whether an arriving notice says what its session was told before; then
// it is kept and never shown.
func told(tx *store.Tx, m letter.Message, k inbox.Key, age time.Duration) (bool, error) {
	if !isNotice(m) {
		return false, nil
	}
	first, err := cause.In(tx).Tell(m.Cause, k.Address, age)
	return !first, err
}
