package message

import (
	"context"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Hold quarantines, in a commit, what has come of a member and was shown nobody yet:
// what names somebody here, what is for many, or both. Its sender goes on seeing it as
// delivered and not seen.
func (f *Feature) Hold(tx *store.Tx, mesh ident.MeshID, from ident.PublicKey, direct, many bool) error {
	return inbox.In(tx).Hold(mesh, from, func(e inbox.Entry, m letter.Message) bool {
		toMany := m.Reach == letter.Mesh
		return many && toMany || direct && (!toMany || slices.Contains(m.To, e.Address))
	})
}

// Release has what is quarantined of a member wait again, and counts it. Notices stay:
// what they say is over.
func (f *Feature) Release(ctx context.Context, mesh ident.MeshID, from ident.PublicKey) (total int, err error) {
	for behind, more := []byte(nil), true; more; more = behind != nil {
		var n int
		var next []byte
		err := f.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
			n, next, err = inbox.In(tx).Release(mesh, from, behind, pruneMax, func(m letter.Message) bool { return !isNotice(m) })
			return err
		})
		if err != nil {
			return total, fmt.Errorf("release what was held: %w", err)
		}
		total, behind = total+n, next
	}
	f.doors.knock(mesh)
	return total, nil
}
