package wire

import "errors"

// Reading and writing frames.
var (
	// ErrTooLarge: a frame is longer than its reader or writer allows.
	ErrTooLarge = errors.New("wire: frame over its limit")
	// ErrLength: a frame's length is not the shortest form of its number.
	ErrLength = errors.New("wire: malformed frame length")
)

// Decoding messages.
var (
	// ErrMalformed: the bytes are not a message of the expected kind.
	ErrMalformed = errors.New("wire: malformed message")
)
