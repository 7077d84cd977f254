package record

import (
	"context"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/store"
)

// Exchange brings this node and another member's to the same records of a mesh, over a
// stream of the inner protocol replica.Proto. One side is the opener. The stream and
// its deadlines are the caller's. What came before an error is kept.
func (b *Book) Exchange(ctx context.Context, mesh ident.MeshID, conn *wire.Conn, opener bool) (replica.Result, error) {
	s, err := b.shelf(mesh)
	if err != nil {
		return replica.Result{}, err
	}
	got, err := s.rep.Exchange(ctx, conn, opener)
	if err == nil {
		s.flags.setCompared()
	}
	return got, err
}

// News takes a record that was shouted; see replica.News.
func (b *Book) News(ctx context.Context, mesh ident.MeshID, raw []byte) (v replica.Verdict, want bool, err error) {
	s, err := b.shelf(mesh)
	if err != nil {
		return replica.Ignore, false, err
	}
	return s.rep.News(ctx, raw)
}

// Author is the member that a record which was shouted says it is of; known tells
// whether the admin log has heard of it.
func (b *Book) Author(mesh ident.MeshID, raw []byte) (member ident.PublicKey, known bool) {
	s, err := b.shelf(mesh)
	if err != nil {
		return member, false
	}
	r, err := replica.Parse(raw)
	if err != nil {
		return member, false
	}
	a, known := s.roster.author(r.Log.Author)
	return a.member, known
}

// Keeps lists, for each of the members, the records that go on to count once it is
// gone, as the statement that takes it out carries them; nil: there are none.
func (b *Book) Keeps(mesh ident.MeshID, members []ident.PublicKey) ([][]byte, error) {
	s, err := b.shelf(mesh)
	if err != nil {
		return nil, err
	}
	state := s.mesh.Admin.State()
	out := make([][]byte, len(members))
	err = b.cfg.DB.View(func(tx *store.Tx) error {
		t := s.table(tx)
		for i, key := range members {
			who, in := state.Member(key)
			if !in {
				continue
			}
			if out[i], err = s.rep.KeepList(t, who.Keys.Blind); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// adopt takes over what another copy of this node wrote: the same member before its
// store was put back, for one. Its log gets a new incarnation where need be.
func (s *shelf) adopt(ctx context.Context) error {
	if s.mesh.Suspended != nil && s.mesh.Suspended() {
		return nil
	}
	if !s.flags.takeForeign() {
		return s.rebind(ctx)
	}
	n, err := s.rep.Adopt(ctx, s.mesh.Blind, s.reseal)
	if err != nil {
		s.flags.setForeign()
		return err
	}
	s.book.cfg.Log.Info("records of another copy of this node taken over", "mesh", s.id, "records", n)
	err = s.rebind(ctx)
	if s.book.cfg.Adopted != nil {
		s.book.cfg.Adopted(s.id)
	}
	return err
}

// rebind raises the generation of the own binding to the incarnation of the own log.
func (s *shelf) rebind(ctx context.Context) error {
	inc := s.flags.incarnation()
	err := s.View(func(tx replica.Tx) error {
		return s.rep.Own(tx, 0, func(r replica.Record) bool {
			inc = max(inc, r.Log.Inc)
			return false
		})
	})
	if err != nil || inc <= s.mesh.Gen || s.mesh.Rebind == nil {
		return err
	}
	return s.mesh.Rebind(ctx, inc)
}

// reseal encrypts an own record for its new place, under the key of now.
func (s *shelf) reseal(old replica.Record, h *replica.Header) ([]byte, error) {
	said, err := s.open(old)
	if err != nil {
		return nil, fmt.Errorf("record %d of incarnation %d: %w", old.N, old.Log.Inc, err)
	}
	if h.Epoch, err = s.roster.now(); err != nil {
		return nil, err
	}
	return s.seal(said, *h)
}
