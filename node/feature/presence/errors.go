package presence

import "errors"

// ErrReplaced ends the feed of a session that a newer connection took over.
var ErrReplaced = errors.New("a newer connection took this session over")

// ErrUnknownMesh tells that this node is not in the mesh.
var ErrUnknownMesh = errors.New("not in this mesh")

// ErrCard refuses a session card that could not be shown.
var ErrCard = errors.New("malformed session card")

// ErrKnown says that a beacon tells nothing that is not known already.
var ErrKnown = errors.New("beacon known already")
