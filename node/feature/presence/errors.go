package presence

import (
	"errors"

	"github.com/claudemesh/claudemesh/node/op"
)

// ErrReplaced ends the feed of a session that a newer connection took over.
var ErrReplaced = errors.New("a newer connection took this session over")

// ErrUnknownMesh tells that this node is not in the mesh, or only from this moment on.
var ErrUnknownMesh error = op.Errorf(op.Unavailable, "this mesh is just being made or left").WithHint("try again in a moment")

// ErrFalse says that a beacon can never be good: it is malformed or not its member's.
var ErrFalse = errors.New("no beacon of this member")

// ErrKnown says that a beacon tells nothing that is not known already.
var ErrKnown = errors.New("beacon known already")
