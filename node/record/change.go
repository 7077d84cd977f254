package record

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
)

// changed follows what a transaction changed: the index first, then whoever needs to
// know what a key shows. It is replica.Config.Changed.
func (s *shelf) changed(tx replica.Tx, slots []replica.Slot) error {
	t := tx.(*table)
	until := horizon(s.now())
	var moved Clock
	for _, slot := range slots {
		highest, err := s.follow(t, slot, until)
		if err != nil {
			return err
		}
		moved = max(moved, highest)
	}
	return t.index().moved(moved)
}

// follow looks at one slot. It returns the highest clock in it that moves ours.
func (s *shelf) follow(t *table, slot replica.Slot, until Clock) (highest Clock, err error) {
	all, sealed, err := s.read(t, slot)
	if err != nil {
		return 0, err
	}
	x := t.index()
	var epochs []ident.ID
	for _, r := range sealed {
		epochs = append(epochs, r.Epoch)
	}
	var ahead []Clock
	for _, o := range all {
		if o.Clock <= until {
			highest = max(highest, o.Clock)
		} else {
			ahead = append(ahead, o.Clock)
		}
	}
	if err := x.waitFor(slot, epochs, ahead); err != nil {
		return 0, err
	}
	was, known := x.at(slot)
	if len(all) == 0 && !known {
		return highest, nil
	}
	if !known {
		was = place{kind: all[0].text.kind, key: all[0].text.key}
	}
	return highest, s.show(t, slot, was, all, until)
}

// show works out what a slot shows now and tells who needs to know.
func (s *shelf) show(t *table, slot replica.Slot, was place, all []opened, until Clock) error {
	x := t.index()
	k, declared := s.book.kinds[was.kind]
	is := place{kind: was.kind, key: was.key}
	var v view
	if declared {
		if v = s.judge(k, all, until); v.shows {
			is.shows, is.clock, is.author, is.sum = true, v.shown.Clock, v.shown.Author, sumOf(v.shown.Value)
		}
	}
	var err error
	if len(all) == 0 {
		err = x.forget(was.kind, was.key, slot)
	} else {
		err = x.put(slot, is)
	}
	if err != nil || !declared || k.Changed == nil || t.mute || was == is {
		return err
	}
	c := Change{Mesh: s.id, Kind: was.kind, Key: was.key, Own: t.own, Fresh: s.fresh(v, was)}
	if was.shows {
		c.Old = &Entry{Key: was.key, Author: was.author, Clock: was.clock}
	}
	if v.shows {
		c.New = &v.shown
	}
	if err := k.Changed(t.Tx(), c); err != nil {
		return fmt.Errorf("a change of %s: %w", was.kind, err)
	}
	return nil
}

// fresh tells whether what made a view is news.
func (s *shelf) fresh(v view, was place) bool {
	newest := was.clock // a record that only vanished is as old as it was
	for _, e := range v.counted {
		newest = max(newest, e.Clock)
	}
	return s.now().Sub(newest.Time()) <= freshFor
}

// place is what the index says of a slot: its key, and what it was last seen to show.
type place struct {
	kind, key string
	shows     bool
	clock     Clock
	author    ident.PublicKey
	sum       uint64 // of the value
}

func sumOf(value []byte) uint64 {
	h := sha256.Sum256(value)
	return binary.BigEndian.Uint64(h[:8])
}

const placeHead = 1 + 8 + 32 + 8

// encode writes a place: 1 byte shows, clock, author, sum, then the key's name.
func (p place) encode() []byte {
	out := make([]byte, 1, placeHead+len(p.kind)+1+len(p.key))
	if p.shows {
		out[0] = 1
	}
	out = binary.BigEndian.AppendUint64(out, uint64(p.clock))
	out = append(out, p.author[:]...)
	out = binary.BigEndian.AppendUint64(out, p.sum)
	return append(out, nameOf(p.kind, p.key)...)
}

// decodePlace reads what encode writes; false: it is damaged.
func decodePlace(b []byte) (p place, ok bool) {
	if len(b) < placeHead {
		return place{}, false
	}
	p.shows = b[0] == 1
	p.clock = Clock(binary.BigEndian.Uint64(b[1:]))
	copy(p.author[:], b[9:])
	p.sum = binary.BigEndian.Uint64(b[41:])
	p.kind, p.key, ok = cutName(b[placeHead:])
	return p, ok
}
