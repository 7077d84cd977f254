package mesh

import (
	"context"
	"errors"
	"fmt"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Nothing to sign: no failures.
var (
	errNothing = errors.New("it is so already")
	errClean   = errors.New("the mesh's key is as it should be")
)

// sign makes an entry on top of the log and commits it with all that follows from
// it, one after the other, so that each of the own entries has those before it in its
// past. It returns what became part of the log, which the caller passes to changed or
// spread; nothing has left the node yet.
func (m *Mesh) sign(ctx context.Context, entry func() (trust.Entry, error)) ([]trust.Entry, error) {
	m.admitting.Lock()
	defer m.admitting.Unlock()
	e, err := entry()
	if err != nil {
		return nil, signError(err)
	}
	added, err := m.take(ctx, []trust.Entry{e}, nil)
	if err != nil {
		return nil, diskError(err)
	}
	return added, nil
}

// spread follows new own entries and has the connected members take them over. It
// returns how many did within a few seconds; the others learn it from them.
func (a *Meshes) spread(ctx context.Context, m *Mesh, added []trust.Entry) int {
	a.changed(m, added)
	ctx, cancel := context.WithTimeout(ctx, tellFor)
	defer cancel()
	return a.cfg.Net.Tell(ctx, m.id)
}

// signError puts a refused entry into a user's words.
func signError(err error) error {
	switch {
	case errors.Is(err, trust.ErrDenied):
		return op.Errorf(op.Denied, "%w", err).WithHint("`claudemesh info` lists the owner and the admins, who can")
	case errors.Is(err, trust.ErrNotMember), errors.Is(err, trust.ErrMember):
		return op.Errorf(op.Conflict, "%w", err).WithHint("`claudemesh info` lists the members")
	case errors.Is(err, trust.ErrTooMany):
		return op.Errorf(op.TooLarge, "%w", err).WithHint("do it in several steps")
	case errors.Is(err, errNothing), errors.Is(err, errClean):
		return err
	}
	return fmt.Errorf("sign: %w", err)
}
