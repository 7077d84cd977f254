package mesh

import (
	"context"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// tellFor is how long leaving waits for other nodes to hear of it.
const tellFor = 3 * time.Second

// answerLeave writes the leave into the admin log, tells whoever is connected, and
// then forgets the mesh: its data first, its key last, so that a crash in between
// leaves a mesh that can be left again.
func (a *Meshes) answerLeave(ctx context.Context, _ op.Caller, in LeaveRequest) (LeaveResponse, error) {
	a.entering.Lock()
	defer a.entering.Unlock()
	m, err := a.find(in.Mesh)
	if err != nil {
		return LeaveResponse{}, err
	}
	out := LeaveResponse{Slug: m.Slug()}
	if err := m.sayLeave(ctx, in.Force); err != nil {
		return LeaveResponse{}, err
	}
	told, cancel := context.WithTimeout(ctx, tellFor)
	out.Told = a.cfg.Net.Tell(told, m.id)
	cancel()
	return out, a.drop(ctx, m)
}

// sayLeave writes the own leave into the admin log. An owner cannot leave: without
// one a mesh has nobody who makes or ends admins. It may only forget the mesh.
func (m *Mesh) sayLeave(ctx context.Context, force bool) error {
	state := m.admin.State()
	switch state.Role(m.self) {
	case trust.RoleNone:
		return nil
	case trust.RoleOwner:
		if others := len(state.Members) - 1; others > 0 && !force {
			return op.Errorf(op.Conflict, "you own %s, and %d other member(s) are in it", m.Slug(), others).
				WithHint("`claudemesh leave %s --force` forgets it on this machine for good; nobody can take over as owner", m.Slug())
		}
		return nil
	}
	stays, err := m.keeps([]ident.PublicKey{m.self})
	if err != nil {
		return err
	}
	entry, err := m.admin.SignLeave(m.member, stays[0], m.all.cfg.Now())
	if err != nil {
		return fmt.Errorf("sign leave: %w", err)
	}
	_, err = m.take(ctx, []trust.Entry{entry}, nil)
	return err
}

// drop takes a mesh out of this node and removes all that is kept of it. A mesh whose
// data stays, as on a full disk, stays: it can be left again.
func (a *Meshes) drop(ctx context.Context, m *Mesh) error {
	a.remove(m.id)
	err := a.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if a.cfg.Forget != nil {
			if err := a.cfg.Forget(tx, m.id); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMesh).DeleteBucket(m.id.String())
	})
	if err != nil {
		a.add(m)
		return op.Errorf(op.Unavailable, "%s and its keys are still on this machine: %w", m.Slug(), err).
			WithHint("put that right, then run it again")
	}
	return removeSeed(a.cfg.Dir, m.id)
}
