package daemon

import (
	"errors"
	"fmt"
	"time"
)

// ErrSlow: a node did not come up, or did not end, in time.
var ErrSlow = errors.New("it took too long")

// ErrManual: no node runs, and it is not for commands to start one.
var ErrManual = errors.New("no node runs")

// errExited: the process that was started ended before it answered.
var errExited = errors.New("the node's process ended at once")

// StartError says that a node could not be started.
type StartError struct {
	// Reason is the last line the node wrote, or what kept it from running.
	Reason string
	// Ago is how long ago it failed, zero for the start just tried.
	Ago time.Duration
}

// Error names the reason.
func (e *StartError) Error() string {
	if e.Ago == 0 {
		return "the node did not start: " + e.Reason
	}
	return fmt.Sprintf("the node did not start %d s ago: %s", int(e.Ago.Seconds()), e.Reason)
}
