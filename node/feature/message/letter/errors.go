package letter

import "errors"

// When letters and statements are read.
var (
	// ErrMalformed means that bytes are not what this package writes.
	ErrMalformed = errors.New("malformed letter")
	// ErrKind means that a letter is of a kind this version does not know.
	ErrKind = errors.New("letter of an unknown kind")
	// ErrID means that a text is not a message id.
	ErrID = errors.New("not a UUID, as in 0190a8f2-7c3e-7b1a-9d42-5f60718293a4")
)
