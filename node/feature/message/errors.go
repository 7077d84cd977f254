package message

import (
	"errors"

	"github.com/claudemesh/claudemesh/node/feature/message/courier"
)

// What implementations of Trust answer to Judge.
var (
	// ErrLater means that a message cannot be judged yet: knowledge is missing
	// that may come. The sender tries again.
	ErrLater = errors.New("cannot be judged yet")
	// ErrBlocked means that the sender is blocked here: the message is kept and
	// receipted and never shown.
	ErrBlocked = errors.New("the sender is blocked here")
)

// ErrUnreachable is what Mail.Send fails with when a home cannot be reached now.
var ErrUnreachable = courier.ErrUnreachable

var errConfig = errors.New("message: a field of the config is missing")
