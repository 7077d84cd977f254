package mesh

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

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

// diskError says what a user can do about a disk that takes nothing.
func diskError(err error) error {
	switch {
	case errors.Is(err, store.ErrFull), errors.Is(err, syscall.ENOSPC):
		return op.Errorf(op.Unavailable, "nothing was changed: %w", err).WithHint("free some space on the disk and try again")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return op.Errorf(op.Denied, "nothing was changed: %w", err).WithHint("the node must be able to write into its folder")
	}
	return err
}
