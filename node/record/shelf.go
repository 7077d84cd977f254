package record

import (
	"context"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/records"
)

// shelf is the records of one mesh. It has no mutex: nothing changes but the roster,
// which guards itself, and what flags guards.
type shelf struct {
	book   *Book
	id     ident.MeshID
	mesh   Mesh
	secret [32]byte // of slots
	roster *roster
	rep    *replica.Replica
	flags  flags
}

// shelf finds a mesh's records, and opens them when they are first asked for.
func (b *Book) shelf(id ident.MeshID) (*shelf, error) {
	m, ok := b.cfg.Meshes.Get(id)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoMesh, id)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, open := b.shelves[id]; open && s.mesh.Admin == m.Admin {
		return s, nil // an admin log of another run of membership is another mesh
	}
	s, err := b.open(id, m)
	if err != nil {
		return nil, err
	}
	b.shelves[id] = s
	return s, nil
}

func (b *Book) open(id ident.MeshID, m Mesh) (*shelf, error) {
	epoch0, err := m.Ring.Epoch0(m.Admin)
	if err != nil {
		return nil, err
	}
	s := &shelf{
		book: b, id: id, mesh: m, secret: trust.IDSecret(epoch0, id),
		roster: &roster{admin: m.Admin, ring: m.Ring, keys: make(map[ident.ID][32]byte)},
	}
	s.rep, err = replica.New(replica.Config{
		Disk: s, Authors: s.roster, Self: m.Blind.Public(), Inc: m.Gen,
		Changed: s.changed, Foreign: func() { s.flags.setForeign(); b.wake() },
		Now: s.now, Mono: b.cfg.Mono, Log: b.cfg.Log.With("mesh", id),
	})
	return s, err
}

// now is mesh time.
func (s *shelf) now() time.Time { return s.book.cfg.MeshTime(s.id) }

// slot is where a key's records are.
func (s *shelf) slot(kind, key string) replica.Slot { return slotOf(s.secret, kind, key) }

// table is a shelf inside a transaction: the replica's tables and the index beside.
type table struct {
	*records.Table
	mesh ident.MeshID
	own  bool // the transaction writes a record of this node's
	mute bool // nobody is told of changes
	idx  *index
}

func (s *shelf) table(tx *store.Tx) *table {
	return &table{Table: records.Open(tx, s.id.String()), mesh: s.id}
}

// index opens the index when it is first needed.
func (t *table) index() *index {
	if t.idx == nil {
		x := openIndex(t.Tx(), t.mesh)
		t.idx = &x
	}
	return t.idx
}

// Update implements replica.Disk.
func (s *shelf) Update(ctx context.Context, fn func(replica.Tx) error) error {
	return s.book.cfg.DB.Update(ctx, func(tx *store.Tx) error { return fn(s.table(tx)) })
}

// View implements replica.Disk.
func (s *shelf) View(fn func(replica.Tx) error) error {
	return s.book.cfg.DB.View(func(tx *store.Tx) error { return fn(s.table(tx)) })
}
