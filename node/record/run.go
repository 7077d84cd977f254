package record

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/records"
)

// Start follows what happened to the meshes while the store was written last: it comes
// before anybody reads. It looks at no record that can be read already.
func (b *Book) Start(ctx context.Context) error {
	for _, id := range b.cfg.Meshes.All() {
		s, err := b.shelf(id)
		if err != nil {
			return err
		}
		if _, err := s.unseal(ctx); err != nil {
			return err
		}
		if err := s.boundAll(ctx); err != nil {
			return err
		}
		if err := s.restand(ctx); err != nil {
			return err
		}
		if err := s.remember(); err != nil {
			return err
		}
	}
	return nil
}

// boundAll begins the books of what each member holds of the kinds with a bound, in a
// store that has none of them.
func (s *shelf) boundAll(ctx context.Context) error {
	var names []string
	for _, k := range s.book.kinds {
		if k.Most > 0 {
			names = append(names, k.Name)
		}
	}
	slices.Sort(names)
	var kept []string
	err := s.book.cfg.DB.View(func(tx *store.Tx) error {
		kept = strings.Fields(string(s.table(tx).index().root.Get(keyBounded)))
		return nil
	})
	if err != nil || slices.Equal(kept, names) {
		return err
	}
	for _, name := range names {
		if slices.Contains(kept, name) {
			continue
		}
		if err := s.rejudge(ctx, name); err != nil {
			return err
		}
	}
	return s.book.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return s.table(tx).index().root.Put(keyBounded, []byte(strings.Join(names, " ")))
	})
}

// remember finds out whether there was something to take over when the last run ended.
func (s *shelf) remember() error {
	return s.View(func(tx replica.Tx) error {
		pending, err := s.rep.Pending(tx)
		if pending {
			s.flags.setForeign()
			s.book.wake()
		}
		return err
	})
}

// Drop removes the records of a mesh and all that is known of them.
func (b *Book) Drop(tx *store.Tx, mesh ident.MeshID) error {
	return errors.Join(records.Drop(tx, mesh.String()), tx.Bucket(bucketBook).DeleteBucket(mesh.String()))
}

// Follow has a mesh looked at anew after its admin log or the known keys changed, or
// this node left it.
func (b *Book) Follow(ctx context.Context, mesh ident.MeshID) error {
	s, err := b.shelf(mesh)
	if errors.Is(err, ErrNoMesh) {
		b.mu.Lock()
		delete(b.shelves, mesh)
		b.mu.Unlock()
		return b.cfg.DB.Update(ctx, func(tx *store.Tx) error { return b.Drop(tx, mesh) })
	}
	if err != nil {
		return err
	}
	if err := s.restand(ctx); err != nil {
		return err
	}
	if _, err := s.unseal(ctx); err != nil {
		return err
	}
	for _, k := range b.kinds {
		if k.Followed != nil {
			k.Followed(mesh)
		}
	}
	return nil
}

// perCommit is how many slots one transaction looks at anew, so that others get their
// turn between two.
const perCommit = 500

// unseal opens what waited for keys that are known by now. It returns how many slots.
func (s *shelf) unseal(ctx context.Context) (n int, err error) {
	for {
		var slots []replica.Slot
		known, err := s.unsealable()
		if err != nil || len(known) == 0 {
			return n, err
		}
		err = s.book.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			t := s.table(tx)
			var err error
			if slots, err = t.index().unwaited(known[0], perCommit); err != nil {
				return err
			}
			return s.changed(t, slots)
		})
		if err != nil {
			return n, err
		}
		n += len(slots)
	}
}

// unsealable are the epochs whose records wait for nothing any more.
func (s *shelf) unsealable() (known []ident.ID, err error) {
	err = s.book.cfg.DB.View(func(tx *store.Tx) error {
		known = nil
		for _, epoch := range s.table(tx).index().waiting() {
			if _, ok := s.roster.key(epoch); ok {
				known = append(known, epoch)
			}
		}
		return nil
	})
	return known, err
}

// ripen shows the records whose time has come.
func (s *shelf) ripen(ctx context.Context) error {
	for {
		until := horizon(s.now())
		if next, ok, err := s.nextDue(); err != nil || !ok || next > until {
			return err
		}
		err := s.book.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			t := s.table(tx)
			slots, err := t.index().due(until, perCommit)
			if err != nil {
				return err
			}
			return s.changed(t, slots)
		})
		if err != nil {
			return err
		}
	}
}

// nextDue is the clock of the next record from the future.
func (s *shelf) nextDue() (next Clock, ok bool, err error) {
	err = s.book.cfg.DB.View(func(tx *store.Tx) error {
		next, ok = s.table(tx).index().next()
		return nil
	})
	return next, ok, err
}

// Intervals of Run.
const (
	lookEvery  = time.Second      // for records whose time has come
	trimAfter  = 10 * time.Minute // the first time after a start
	trimEvery  = 24 * time.Hour
	adoptAfter = time.Second // for others in reach to tell what they have, too
)

// Run shouts what this node writes, shows records from the future when their time
// comes, takes over what another copy of this node wrote, and trims daily, until ctx
// ends.
func (b *Book) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { b.shout(ctx) })
	wg.Go(func() { b.adoptAll(ctx) })
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	trimmed := b.cfg.Mono() + trimAfter - trimEvery
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
		b.all(ctx, "record from the future not shown", (*shelf).ripen)
		if b.cfg.Mono()-trimmed >= trimEvery {
			trimmed = b.cfg.Mono()
			b.all(ctx, "records not trimmed", (*shelf).trim)
		}
	}
}

// all does something to the records of all meshes; what fails is tried again next time.
func (b *Book) all(ctx context.Context, failed string, do func(*shelf, context.Context) error) {
	for _, id := range b.cfg.Meshes.All() {
		s, err := b.shelf(id)
		if err == nil {
			err = do(s, ctx)
		}
		if err != nil && ctx.Err() == nil {
			b.cfg.Log.Warn(failed, "mesh", id, "error", err)
		}
	}
}

// shout tells others what this node writes.
func (b *Book) shout(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-b.news:
			s, err := b.shelf(n.mesh)
			if err == nil && b.cfg.Shout != nil && s.flags.shouts() {
				b.cfg.Shout(ctx, n.mesh, n.raw)
			}
		}
	}
}

// adoptAll takes over what other copies of this node wrote, when there is something.
func (b *Book) adoptAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.poke:
		}
		pause := time.NewTimer(adoptAfter)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		b.all(ctx, "what another copy of this node wrote is not taken over", (*shelf).adopt)
	}
}
