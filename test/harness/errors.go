package harness

import (
	"errors"
	"fmt"
	"strings"
)

// ErrGone: the process at the other end has ended, or was killed, before it
// answered. What was asked may have been done.
var ErrGone = errors.New("the process has ended")

// ErrClosed: the world was closed.
var ErrClosed = errors.New("the world is closed")

// CommandError is a command that ended with a status other than 0.
type CommandError struct {
	Args   []string
	Status int
	// Code, Message and Hint are those of the command's JSON error; empty if it
	// printed none.
	Code, Message, Hint string
	Stderr              string
}

// Error names the command and what it said.
func (e *CommandError) Error() string {
	said := e.Message
	if said == "" {
		said = strings.TrimSpace(e.Stderr)
	}
	return fmt.Sprintf("claudemesh %s: status %d: %s", strings.Join(e.Args, " "), e.Status, said)
}

// ToolError is the error result of a tool: the server answered, and said no.
type ToolError struct{ Tool, Text string }

// Error names the tool and what it said.
func (e *ToolError) Error() string { return fmt.Sprintf("tool %s: %s", e.Tool, e.Text) }

// RPCError is an error answer of the protocol.
type RPCError struct {
	Method  string `json:"-"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error names the method and what was said.
func (e *RPCError) Error() string {
	return fmt.Sprintf("%s: error %d: %s", e.Method, e.Code, e.Message)
}
