package node

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ask"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// remote performs operations at another member's home.
type remote struct {
	asker  *ask.Asker
	mesh   ident.MeshID
	member ident.PublicKey
}

// Do implements op.Doer.
func (r remote) Do(ctx context.Context, _ op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	out, err := r.asker.Ask(ctx, r.mesh, r.member, id, in)
	var told *ask.Error
	if errors.As(err, &told) {
		return nil, &op.Error{Code: op.Code(told.Code), Message: told.Message, Hint: told.Hint}
	}
	return out, err
}

// answer performs an operation that another member's node asks for.
func answer(set *op.Set) func(context.Context, ident.MeshID, ident.PublicKey, string, []byte) ([]byte, error) {
	return func(ctx context.Context, id ident.MeshID, from ident.PublicKey, name string, in []byte) ([]byte, error) {
		out, err := set.Do(ctx, op.Caller{Member: from.String(), Mesh: id.String()}, name, in)
		if err == nil {
			return out, nil
		}
		e := op.AsError(err)
		return nil, &ask.Error{Code: string(e.Code), Message: e.Message, Hint: e.Hint}
	}
}
