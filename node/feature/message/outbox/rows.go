package outbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Change is something that happened to the rows of a message at one home.
type Change struct {
	Home  Home
	ID    letter.ID
	Event delivery.Event
	// Addresses are the rows it happened to; none: all of that home. Of a message to
	// many they are for whom the home keeps it, or who has seen it.
	Addresses []ident.PublicKey
	// Hash is that of the message the news is about; zero: not from outside.
	Hash   ident.ID
	Reason string
	At     time.Time

	group bool // Addresses hold somebody who was not named
}

// Apply changes rows. It returns the ord of the message if nothing is left to be
// sent to that home any more, else 0. News about another message, another home's
// rows or unknown ones changes nothing.
func (b Box) Apply(c Change) (done uint64, err error) {
	m, ok, err := b.Message(c.Home.Mesh, c.ID)
	if err != nil || !ok || c.Hash != (ident.ID{}) && c.Hash != m.Hash {
		return 0, err
	}
	rows, err := b.Rows(c.Home.Mesh, c.ID)
	if err != nil {
		return 0, err
	}
	key := recordKey(c.Home.Mesh, c.ID)
	if m.Many {
		c.group = c.beyond(rows)
	}
	var open, openHere, closed int
	for _, r := range rows {
		if r.Home == c.Home.Member && c.concerns(m, r) {
			was := r.State
			if c.change(&r) {
				if err := b.record.Put(rowKey(key, r.Address), r.encode()); err != nil {
					return 0, err
				}
			}
			if !was.Final() && r.State.Final() {
				closed++
			}
		}
		if !r.State.Final() {
			open++
			if r.Home == c.Home.Member {
				openHere++
			}
		}
	}
	if openHere == 0 {
		done = m.Ord
	}
	if closed == 0 {
		return done, nil
	}
	return done, b.settle(m, key, c.Home, open, openHere, closed)
}

// change applies the event to one row and reports whether it differs.
func (c Change) change(r *Row) bool {
	if c.Event == delivery.PutOff {
		differs := !r.State.Final() && r.Reason != c.Reason
		if differs {
			r.Reason = c.Reason
		}
		return differs
	}
	next, ok := r.State.Next(c.Event)
	if ok {
		r.State, r.Since, r.Reason = next, c.At, c.Reason
		if c.Event == delivery.GotDelivered {
			r.Nobody = r.Index >= letter.Everyone && !c.group
		}
	}
	return ok
}

// settle frees what no open row needs any more.
func (b Box) settle(m Message, key []byte, h Home, open, openHere, closed int) error {
	u := b.Usage()
	if uint64(closed) > u.Rows {
		return fmt.Errorf("%w: %d open rows, %d to close", ErrBroken, u.Rows, closed)
	}
	u.Rows -= uint64(closed)
	if openHere == 0 {
		if err := b.Drop(h, m.Ord); err != nil {
			return err
		}
	}
	if open == 0 {
		u.Bytes -= min(u.Bytes, uint64(m.Size))
		if err := b.record.Delete(textKey(key)); err != nil {
			return err
		}
	}
	return b.setUsage(u)
}

// concerns tells whether the change is about a row of its home. What a home says of
// a message to many is about all of them, but for who has seen it.
func (c Change) concerns(m Message, r Row) bool {
	switch {
	case len(c.Addresses) == 0, m.Many && c.Event != delivery.GotSeen:
		return true
	case m.Many && (r.Also || r.Index >= letter.Everyone):
		return c.group || slices.Contains(c.Addresses, r.Address)
	}
	return slices.Contains(c.Addresses, r.Address)
}

// beyond tells whether a message to many reached somebody at the home who was not
// named.
func (c Change) beyond(rows []Row) bool {
	return slices.ContainsFunc(c.Addresses, func(a ident.PublicKey) bool {
		return !slices.ContainsFunc(rows, func(r Row) bool { return r.Address == a && r.Index < letter.Everyone })
	})
}
