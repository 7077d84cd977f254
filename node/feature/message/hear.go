package message

import (
	"context"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Hear takes a message to many from the air. Nil means that it is good and to be
// passed on, ErrLater that this node cannot tell yet, any other error that it is
// bad. It does not wait for the message to be on disk.
func (f *Feature) Hear(ctx context.Context, mesh ident.MeshID, raw []byte) error {
	return ErrLater
}
