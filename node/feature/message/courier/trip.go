package courier

import (
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
)

// Letter is a message on its way to a home.
type Letter struct {
	Home      outbox.Home
	Ord       uint64
	Deadline  time.Duration
	Priority  delivery.Priority
	Statement []byte
	Attest    []byte
	Rows      []outbox.Row // of that home, not final
	// Many is set for a message to many. Wait is how long it is not sent: it may come
	// through the air meanwhile.
	Many bool
	Wait time.Duration
	// Held keeps the letter until the commit is done. One whose id the caller chose is
	// held: if the commit is lost the caller sends again under that id, and a letter
	// that had left would be another one by then, which its recipient must refuse.
	Held bool
}

// Trip is the letters of one operation of the store: they may leave while its
// commit runs, so that the recipient's commit runs at the same time. Nothing is
// answered before the own one is done; a letter whose commit failed is withdrawn,
// though it may have arrived.
//
// An operation may run twice: it calls Reset first and Announce last. Whoever
// began it calls Settle with the result.
type Trip struct {
	c    *Courier
	legs []leg
}

type leg struct {
	home     outbox.Home
	ord      uint64
	deadline time.Duration
	taken    bool // it is in the window
}

// Trip begins one.
func (c *Courier) Trip() *Trip { return &Trip{c: c} }

// Reset withdraws what an earlier attempt announced.
func (t *Trip) Reset() {
	for _, l := range t.legs {
		t.c.settle(l, false)
	}
	t.legs = t.legs[:0]
}

// Announce hands over a letter whose row is in the operation's transaction. all are
// the message's rows.
func (t *Trip) Announce(l Letter, all []outbox.Row) {
	l.Rows = open(all, l.Home.Member)
	t.legs = append(t.legs, leg{l.Home, l.Ord, l.Deadline, t.c.announce(l)})
}

// Settle ends the trip: the letters are on disk, or not.
func (t *Trip) Settle(committed bool) {
	for _, l := range t.legs {
		t.c.settle(l, committed)
		if committed {
			t.c.deadline(l.deadline)
		}
	}
	t.legs = nil
}

// announce puts a letter into its worker's window, if that knows all before it.
func (c *Courier) announce(l Letter) (taken bool) {
	c.tell(l.Home, func(w *worker) {
		if l.Wait > 0 {
			w.hold[l.Ord] = c.cfg.Mono() + l.Wait
		}
		taken = !l.Held && !w.fresh && w.behind == 0 && w.window.Room() > 0
		if !taken {
			w.behind++
			return
		}
		w.early[l.Ord] = l
		w.enter(l.Ord)
	})
	return taken
}

// settle says what became of an announced letter.
func (c *Courier) settle(l leg, committed bool) {
	c.tell(l.home, func(w *worker) {
		switch {
		case !l.taken:
			if !committed {
				delete(w.hold, l.ord)
			}
			w.behind = max(0, w.behind-1)
			w.fresh = w.fresh || committed
		case !committed:
			w.window.Done(l.ord)
		}
		delete(w.early, l.ord)
	})
}
