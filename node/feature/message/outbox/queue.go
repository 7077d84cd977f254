package outbox

import (
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Queue lists up to max things due at a home with an ord above after, ascending.
func (b Box) Queue(h Home, after uint64, max int) (dues []Due, err error) {
	from := Due{Home: h, Ord: after + 1}.key()
	b.due.Ascend(from, func(k, v []byte) bool {
		if len(dues) >= max || len(k) != dueKey || string(k[:52]) != string(from[:52]) {
			return false
		}
		var d Due
		d, err = decodeDue(k, v)
		dues = append(dues, d)
		return err == nil
	})
	return dues, err
}

// Due finds one thing in a home's queue.
func (b Box) Due(h Home, ord uint64) (Due, bool, error) {
	key := Due{Home: h, Ord: ord}.key()
	v := b.due.Get(key)
	if v == nil {
		return Due{}, false, nil
	}
	d, err := decodeDue(key, v)
	return d, err == nil, err
}

// Homes lists the homes that something is due at.
func (b Box) Homes() []Home {
	var homes []Home
	from := []byte{}
	for from != nil {
		start := from
		from = nil
		b.due.Ascend(start, func(k, _ []byte) bool {
			if len(k) == dueKey {
				homes = append(homes, Home{ident.MeshID(k[:20]), ident.PublicKey(k[20:52])})
				// the last key of this home: go on behind it
				from = append(append([]byte{}, k[:52]...), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0)
			}
			return len(k) != dueKey
		})
	}
	return homes
}

// Overdue lists up to max things whose deadline has come, and the first deadline
// among the others (0: none).
func (b Box) Overdue(age time.Duration, max int) (dues []Due, next time.Duration, err error) {
	b.due.Ascend(nil, func(k, v []byte) bool {
		var d Due
		if d, err = decodeDue(k, v); err != nil {
			return false
		}
		switch {
		case d.Deadline <= age && len(dues) < max:
			dues = append(dues, d)
		case next == 0 || d.Deadline < next:
			next = d.Deadline
		}
		return true
	})
	return dues, next, err
}

// Expire ends what is overdue: open rows of a message expire, news is dropped.
func (b Box) Expire(d Due, at time.Time) error {
	return b.end(d, delivery.TimeUp, "no receipt came within its time to live", at)
}

// Refuse ends what a home will never take.
func (b Box) Refuse(d Due, reason string, at time.Time) error {
	return b.end(d, delivery.GotRefused, reason, at)
}

func (b Box) end(d Due, e delivery.Event, reason string, at time.Time) error {
	if !d.Seen {
		if _, err := b.Apply(Change{Home: d.Home, ID: d.ID, Event: e, Reason: reason, At: at}); err != nil {
			return err
		}
	}
	return b.Drop(d.Home, d.Ord)
}

// Prune forgets up to max messages accepted at or before the age limit, oldest
// first, and returns how many. One with open rows is kept.
func (b Box) Prune(limit time.Duration, max int) (n int, err error) {
	var keys [][]byte
	b.ord.Ascend(nil, func(k, v []byte) bool {
		if len(v) != msgKey {
			err = ErrBroken
			return false
		}
		m, found, failed := b.Message(ident.MeshID(v[:20]), [16]byte(v[20:]))
		if failed != nil || found && m.Age > limit {
			err = failed
			return false
		}
		if b.text.Get(v) == nil {
			keys = append(keys, append(append([]byte{}, k...), v...))
		}
		return len(keys) < max
	})
	if err != nil {
		return 0, err
	}
	for _, k := range keys {
		if err := b.forget(k[:8], k[8:]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (b Box) forget(ord, message []byte) error {
	var rows [][]byte
	b.row.AscendPrefix(message, func(k, _ []byte) bool {
		rows = append(rows, append([]byte{}, k...))
		return true
	})
	for _, k := range rows {
		if err := b.row.Delete(k); err != nil {
			return err
		}
	}
	if err := b.msg.Delete(message); err != nil {
		return err
	}
	return b.ord.Delete(ord)
}
