package outbox

import "errors"

var (
	// ErrKnown means that a message with this key is here already.
	ErrKnown = errors.New("outbox: the message is here already")
	// ErrBroken means that a value on disk is not what this package wrote.
	ErrBroken = errors.New("outbox: damaged value")
)
