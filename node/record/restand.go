package record

import (
	"bytes"
	"context"
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/store"
)

// restand looks anew at what those wrote of whom the admin log says something else than
// when this was done last: they are members now or none any more, or have another role.
// Whatever others wrote shows what it did. What the log said then is on disk, so that
// no kill comes between.
func (s *shelf) restand(ctx context.Context) error {
	if err := s.rep.Restand(ctx); err != nil {
		return err
	}
	prints := s.roster.prints()
	moved, err := s.moved(prints)
	if err != nil {
		return err
	}
	var at, next position
	for more := len(moved) > 0; more; at = next {
		err := s.book.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			t := s.table(tx)
			var slots []replica.Slot
			var err error
			if slots, next, err = s.restandSome(t, moved, prints, at); err != nil {
				return err
			}
			more = next.author < len(moved)
			return s.changed(t, slots)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// moved are the authors of whom the log says something else, ascending.
func (s *shelf) moved(prints map[ident.PublicKey][32]byte) (out []ident.PublicKey, err error) {
	err = s.book.cfg.DB.View(func(tx *store.Tx) error {
		out = nil
		stood := s.table(tx).index().stood
		for blind, is := range prints {
			if !bytes.Equal(stood.Get(blind[:]), is[:]) {
				out = append(out, blind)
			}
		}
		stood.Ascend(nil, func(k, _ []byte) bool {
			if _, still := prints[ident.PublicKey(k)]; !still {
				out = append(out, ident.PublicKey(k)) // its admission was struck
			}
			return true
		})
		return nil
	})
	slices.SortFunc(out, ident.PublicKey.Compare)
	return out, err
}

// position is how far a round over the records of some authors has come.
type position struct {
	author int    // the number of authors that are done
	place  []byte // where to go on with the next one
}

// restandSome gives the slots of up to perCommit records, and notes what the log says of
// the authors that are done with.
func (s *shelf) restandSome(t *table, moved []ident.PublicKey, prints map[ident.PublicKey][32]byte, at position) (slots []replica.Slot, next position, err error) {
	stood := t.index().stood
	for next = at; next.author < len(moved); next = (position{author: next.author + 1}) {
		blind := moved[next.author]
		err := s.rep.SlotsOf(t, blind, next.place, func(slot replica.Slot, place []byte) bool {
			if len(slots) == perCommit {
				return false
			}
			slots, next.place = append(slots, slot), bytes.Clone(place)
			return true
		})
		if err != nil || len(slots) == perCommit {
			return slots, next, err
		}
		if is, still := prints[blind]; still {
			err = stood.Put(blind[:], is[:])
		} else {
			err = stood.Delete(blind[:])
		}
		if err != nil {
			return slots, next, err
		}
	}
	return slots, next, nil
}
