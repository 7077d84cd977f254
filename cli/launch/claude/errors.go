package claude

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrNoClaude means that no Claude Code was found.
var ErrNoClaude = errors.New("no Claude Code was found")

// Ended is how Claude Code ended, if not with status 0.
type Ended struct {
	// Status is its exit status, or 128 and the number of Signal.
	Status int
	// Signal is what killed it; 0: nothing did.
	Signal syscall.Signal
}

// Error says how it ended.
func (e *Ended) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("Claude Code was ended by a signal: %v", e.Signal)
	}
	return fmt.Sprintf("Claude Code ended with status %d", e.Status)
}
