package mesh

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/backup"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Saved gives what a backup keeps of the meshes: seeds, admin logs, epoch keys, names,
// bindings, invites and what is known of the others. Delivery keys stay out: they
// belong to this run of the node.
func (a *Meshes) Saved() ([]backup.Mesh, error) {
	var out []backup.Mesh
	err := a.cfg.DB.View(func(tx *store.Tx) error {
		out = nil
		for _, m := range a.All() {
			seed, err := readSeed(a.cfg.Dir, m.id)
			if err != nil {
				return err
			}
			rows := backup.Read(tx, func(path []string) bool { return slices.Contains(path, bucketDelivery) }, bucketMesh, m.id.String())
			out = append(out, backup.Mesh{ID: m.id.String(), Slug: m.Slug(), Seed: seed[:], Rows: rows})
		}
		return nil
	})
	return out, err
}

// Unpack writes the meshes of a backup into a new folder and its store. It decides
// nothing: Open then judges what is there. It fails with ErrKept for rows that are
// no mesh's.
func Unpack(ctx context.Context, dir string, db *store.DB, meshes []backup.Mesh) error {
	for _, one := range meshes {
		id, err := ident.ParseMeshID(one.ID)
		if err != nil || len(one.Seed) != len(ident.Seed{}) {
			return fmt.Errorf("%w: mesh %q of the backup", ErrKept, one.ID)
		}
		if err := putSeed(keyPath(dir, id), ident.Seed(one.Seed)); err != nil {
			return err
		}
		if err := db.Update(ctx, func(tx *store.Tx) error { return unpack(tx, id, one.Rows) }); err != nil {
			return err
		}
	}
	return nil
}

// unpack writes one mesh's rows. Entries of the log get their place from its counter,
// as those that come later do.
func unpack(tx *store.Tx, id ident.MeshID, rows []backup.Row) error {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(x, y backup.Row) int { return cmp.Compare(string(x.Key), string(y.Key)) })
	inner := []string{bucketLog, bucketEpoch, bucketPeer, bucketInvite}
	for _, r := range rows {
		known := len(r.Path) == 2 || len(r.Path) == 3 && slices.Contains(inner, r.Path[2])
		if !known || r.Path[0] != bucketMesh || r.Path[1] != id.String() {
			return fmt.Errorf("%w: the backup has %q", ErrKept, r.Path)
		}
		b, key := at(tx, id, r.Path[2:]...), r.Key
		if len(r.Path) == 3 && r.Path[2] == bucketLog {
			key = binary.BigEndian.AppendUint64(nil, b.Sequence())
		}
		if err := b.Put(key, r.Value); err != nil {
			return err
		}
	}
	return nil
}

// Restored binds every mesh of a restored folder to this node, above all that is
// known to have been bound before and to the clock, so that an older copy that may
// still run gives way. It fails with ErrKept if a mesh cannot be used, or the seed is
// not that of its member.
func (a *Meshes) Restored(ctx context.Context) error {
	if len(a.broken) > 0 {
		return fmt.Errorf("%w: %s: %s", ErrKept, a.broken[0].ID, a.broken[0].Reason)
	}
	for _, m := range a.All() {
		if _, gone := m.Removed(); !gone && len(m.bind.Body) == 0 {
			return fmt.Errorf("%w: %s has no binding of its member", ErrKept, m.id)
		}
		least := max(m.Gen()+1, uint64(max(a.cfg.Now().Unix(), 1)))
		if seen, ok := m.Elsewhere(); ok {
			least = max(least, seen.Gen+1)
		}
		if err := errors.Join(m.Rebind(ctx, least), m.returned(ctx)); err != nil {
			return err
		}
	}
	return nil
}
