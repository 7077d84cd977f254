package record

import "errors"

// Mistakes of the program that uses the Book.
var (
	// ErrKind refuses a kind that cannot be, or was not declared before the start.
	ErrKind = errors.New("record: bad kind")
	// ErrKey refuses a key that is empty, too long or no text.
	ErrKey = errors.New("record: bad key")
)

// At run time.
var (
	// ErrNoMesh says that this node is not in the mesh, or not any more.
	ErrNoMesh = errors.New("record: not in this mesh")
	// ErrNotOurs refuses a write that the kind does not let this member make.
	ErrNotOurs = errors.New("record: this member may not write this key")
	// ErrText refuses a text that is no record's.
	ErrText = errors.New("record: bad text")
)
