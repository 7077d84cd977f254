package node

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

// explained performs operations for clients of this machine. To the features a mesh
// from which this node's member was removed is not there; whoever asks for it must
// hear why.
type explained struct {
	ops    op.Doer
	meshes *mesh.Meshes
}

// Do implements op.Doer.
func (e explained) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	out, err := e.ops.Do(ctx, c, id, in)
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
