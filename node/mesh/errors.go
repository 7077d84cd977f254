package mesh

import "errors"

// Opening and keeping.
var (
	// ErrKeyFile: a member's key file is missing or damaged.
	ErrKeyFile = errors.New("the key file of a mesh cannot be used")
	// ErrKept: what the store holds of a mesh cannot be read.
	ErrKept = errors.New("the kept state of a mesh cannot be read")
)

// Judging what others say.
var (
	// ErrNotMember: the key belongs to no member by this node's log.
	ErrNotMember = errors.New("not a member of this mesh")
	// ErrProof: a handshake proof does not hold.
	ErrProof = errors.New("membership proof does not hold")
	// ErrUnknownEpoch: sealed under an epoch this node has no key of (yet).
	ErrUnknownEpoch = errors.New("sealed under an unknown epoch")
	// ErrNotHere: this node is not (any more) in that mesh.
	ErrNotHere = errors.New("this node is not in that mesh")
)
