package agent

import "errors"

// ErrTaken: a newer process of the same agent session took the session over.
var ErrTaken = errors.New("a newer process has taken this agent session over")
