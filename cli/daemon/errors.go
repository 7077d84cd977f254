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

// HungError says that a node runs and does not answer, or does not end.
type HungError struct {
	// PID is its process, 0 where the system does not tell.
	PID int
}

// Error says what is known.
func (e *HungError) Error() string {
	if e.PID == 0 {
		return "the node does not answer"
	}
	return fmt.Sprintf("the node, process %d, does not answer", e.PID)
}

// ForeignError says that what listens at the node's socket is not a node of this folder.
type ForeignError struct {
	PID    int
	Socket string
	Why    string
}

// Error says what is known.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("process %d listens at %s and is not the node: %s", e.PID, e.Socket, e.Why)
}

// Failure is why a node could not start, as it says itself. Code and Hint may be
// empty.
type Failure struct {
	Code, Message, Hint string
}

// StartError says that a node could not be started.
type StartError struct {
	// Failure is what the node said, else the last line of its log, or what kept it
	// from running.
	Failure
	// Ago is how long ago it failed, zero for the start just tried.
	Ago time.Duration
}

// Error names the reason.
func (e *StartError) Error() string {
	if e.Ago == 0 {
		return "the node did not start: " + e.Message
	}
	return fmt.Sprintf("the node did not start %d s ago: %s", int(e.Ago.Seconds()), e.Message)
}
