package record

import (
	"context"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/store"
)

// Rejudge looks anew at all that is shown of the kinds for which Counts decides, after
// what it says has changed. Nobody is told: what is shown changes by the own member's
// doing, not by anybody's writing.
func (b *Book) Rejudge(ctx context.Context, mesh ident.MeshID) error {
	s, err := b.shelf(mesh)
	if err != nil {
		return err
	}
	for _, k := range b.kinds {
		if k.Counts == nil {
			continue
		}
		if err := s.rejudge(ctx, k.Name); err != nil {
			return fmt.Errorf("judge %s anew: %w", k.Name, err)
		}
	}
	return nil
}

// rejudge looks at the slots of one kind, some in each commit.
func (s *shelf) rejudge(ctx context.Context, kind string) error {
	for from, more := "", true; more; {
		var last string
		err := s.book.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			t := s.table(tx)
			t.mute = true
			var slots []replica.Slot
			last = ""
			t.index().each(kind, "", func(key string, slot replica.Slot) bool {
				if key <= from && from != "" {
					return true
				}
				slots, last = append(slots, slot), key
				return len(slots) < perCommit
			})
			more = len(slots) == perCommit
			return s.changed(t, slots)
		})
		if err != nil {
			return err
		}
		from = last
	}
	return nil
}
