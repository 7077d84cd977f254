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

// Prune looks at up to max messages behind a place (nil: the first) and forgets
// those accepted at or before the age limit that have no open rows. It returns the
// place to go on from, nil at the end.
func (b Box) Prune(behind []byte, limit time.Duration, max int) (next []byte, err error) {
	var old [][]byte
	n := 0
	b.record.Ascend(append(behind[:len(behind):len(behind)], 0), func(k, v []byte) bool {
		if len(k) != msgKey+1 || k[msgKey] != 0 {
			return true
		}
		if n == max {
			return false
		}
		n++
		next = append([]byte{}, k...)
		var m Message
		if m, err = decodeMessage(v); err != nil {
			return false
		}
		if m.Age <= limit && b.record.Get(textKey(k)) == nil {
			old = append(old, next[:msgKey])
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, record := range old {
		if err := b.forget(record); err != nil {
			return nil, err
		}
	}
	if n < max {
		return nil, nil
	}
	return next, nil
}

func (b Box) forget(record []byte) error {
	var keys [][]byte
	b.record.AscendPrefix(record, func(k, _ []byte) bool {
		keys = append(keys, append([]byte{}, k...))
		return true
	})
	for _, k := range keys {
		if err := b.record.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
