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
	// Addresses are the rows it happened to; none: all of that home.
	Addresses []ident.PublicKey
	// Hash is that of the message the news is about; zero: not from outside.
	Hash   ident.ID
	Reason string
	At     time.Time
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
	var open, openHere, closed int
	for _, r := range rows {
		if r.Home == c.Home.Member && c.concerns(r.Address) {
			was := r.State
			if r.State, ok = was.Next(c.Event); ok {
				r.Since, r.Reason = c.At, c.Reason
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

func (c Change) concerns(address ident.PublicKey) bool {
	return len(c.Addresses) == 0 || slices.Contains(c.Addresses, address)
}
