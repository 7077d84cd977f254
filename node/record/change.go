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
	shares := t.index().shifts()
	var moved Clock
	var bounded []replica.Slot // shown once it is known what counts
	for _, slot := range slots {
		f, err := s.follow(t, slot, until)
		if err != nil {
			return err
		}
		moved = max(moved, f.highest)
		switch k := s.book.kinds[f.was.kind]; {
		case f.unknown:
		case k.Most > 0:
			bounded = append(bounded, slot)
			err = shares.hold(k, slot, f.all)
		default:
			err = s.show(t, slot, f.was, f.all, until)
		}
		if err != nil {
			return err
		}
	}
	more, err := shares.settle()
	if err != nil {
		return err
	}
	if err := s.showAll(t, bounded, more, until); err != nil {
		return err
	}
	return t.index().moved(moved)
}

// showAll shows slots of bounded kinds, each once.
func (s *shelf) showAll(t *table, slots, more []replica.Slot, until Clock) error {
	done := make(map[replica.Slot]bool, len(slots))
	for _, slot := range append(slots, more...) {
		if done[slot] {
			continue
		}
		done[slot] = true
		f, err := s.look(t, slot)
		if err == nil && !f.unknown {
			err = s.show(t, slot, f.was, f.all, until)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// found is what is in a slot.
type found struct {
	all     []opened
	sealed  []replica.Record
	was     place // what it showed; if nothing could be read before, its key alone
	unknown bool  // nothing can be read, nor could
	highest Clock // that moves ours
}

// look reads a slot.
func (s *shelf) look(t *table, slot replica.Slot) (f found, err error) {
	if f.all, f.sealed, err = s.read(t, slot); err != nil {
		return f, err
	}
	known := false
	if f.was, known = t.index().at(slot); known {
		return f, nil
	}
	if f.unknown = len(f.all) == 0; !f.unknown {
		f.was = place{kind: f.all[0].text.kind, key: f.all[0].text.key}
	}
	return f, nil
}

// follow looks at one slot and notes what it waits for.
func (s *shelf) follow(t *table, slot replica.Slot, until Clock) (found, error) {
	f, err := s.look(t, slot)
	if err != nil {
		return f, err
	}
	var epochs []ident.ID
	for _, r := range f.sealed {
		epochs = append(epochs, r.Epoch)
	}
	var ahead []Clock
	for _, o := range f.all {
		if o.Clock <= until {
			f.highest = max(f.highest, o.Clock)
		} else {
			ahead = append(ahead, o.Clock)
		}
	}
	return f, t.index().waitFor(slot, epochs, ahead)
}

// show works out what a slot shows now and tells who needs to know.
func (s *shelf) show(t *table, slot replica.Slot, was place, all []opened, until Clock) error {
	x := t.index()
	k, declared := s.book.kinds[was.kind]
	is := place{kind: was.kind, key: was.key}
	var v view
	if declared {
		in := x.within(k, slot, all)
		is.beyond = len(in) == 0 && len(all) > 0
		if v = s.judge(k, in, until); v.shows {
			is.shows, is.clock, is.author, is.sum = true, v.shown.Clock, v.shown.Author, sumOf(v.shown.Value)
		}
	}
	if declared {
		s.accuse(t, k, all)
	}
	var err error
	if len(all) == 0 {
		err = x.forget(was.kind, was.key, slot)
	} else {
		err = x.put(slot, is)
	}
	was.beyond, is.beyond = false, false
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

// accuse has others hear of records that their kind does not allow, of each once.
func (s *shelf) accuse(t *table, k Kind, all []opened) {
	if s.book.cfg.Refused == nil {
		return
	}
	for _, o := range all {
		if o.entry.Author == s.mesh.Self || s.allows(k, o.entry) {
			continue
		}
		t.Tx().OnCommit(func() {
			if s.flags.first(o.Hash()) {
				s.book.cfg.Refused(s.id, o.entry.Author)
			}
		})
	}
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
	beyond    bool // all that is there is more than its authors may hold
	clock     Clock
	author    ident.PublicKey
	sum       uint64 // of the value
}

func sumOf(value []byte) uint64 {
	h := sha256.Sum256(value)
	return binary.BigEndian.Uint64(h[:8])
}

const placeHead = 1 + 8 + 32 + 8

// encode writes a place: 1 byte with a bit for shows and one for beyond, clock, author, sum, then the key's name.
func (p place) encode() []byte {
	out := make([]byte, 1, placeHead+len(p.kind)+1+len(p.key))
	if p.shows {
		out[0] = 1
	}
	if p.beyond {
		out[0] |= 2
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
	p.shows, p.beyond = b[0]&1 != 0, b[0]&2 != 0
	p.clock = Clock(binary.BigEndian.Uint64(b[1:]))
	copy(p.author[:], b[9:])
	p.sum = binary.BigEndian.Uint64(b[41:])
	p.kind, p.key, ok = cutName(b[placeHead:])
	return p, ok
}
