package node

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// explained performs operations for clients of this machine, and says of failures what
// the features cannot know. To them a mesh from which this node's member was removed is
// not there; whoever asks for it must hear why.
type explained struct {
	ops    op.Doer
	meshes *mesh.Meshes
}

// Do implements op.Doer.
func (e explained) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	out, err := e.ops.Do(ctx, c, id, in)
	if errors.Is(err, store.ErrFull) {
		return out, noRoom(err)
	}
	if op.CodeOf(err) != op.NotFound {
		return out, err
	}
	var where op.InMesh
	if json.Unmarshal(in, &where) != nil {
		return out, err
	}
	if why := e.meshes.Outcast(where.Mesh); why != nil {
		return nil, why
	}
	return out, err
}

// noRoom says what to do about a full disk, where that was not said.
func noRoom(err error) error {
	var e *op.Error
	if errors.As(err, &e) && e.Hint != "" {
		return err
	}
	full := op.Errorf(op.Unavailable, "%w", err).WithHint("free some space, then try again")
	full.Message = "the disk is full, nothing was stored" // which the causes say, too, at length
	return full
}
