package ask

import "errors"

// Asking.
var (
	// ErrUnreachable: the other member's home cannot be reached now, or the stream
	// broke before the answer. The operation may have run.
	ErrUnreachable = errors.New("ask: the other node cannot be reached now")
	// ErrTimeout: no answer within Timeout. The operation may have run.
	ErrTimeout = errors.New("ask: no answer in time")
	// ErrTooLarge: the request is over MaxBody, or its operation's name over
	// MaxOp. Nothing was sent.
	ErrTooLarge = errors.New("ask: request over its limit")
	// ErrMalformed: the other side's bytes are no request or answer.
	ErrMalformed = errors.New("ask: malformed frame")
)

// errWrongEnd: the stream leads to another member than asked for.
var errWrongEnd = errors.New("ask: the stream leads to another member")

// Error is a failure that the answering node reports. Its texts come from a
// peer: they are to be shown, not trusted.
type Error struct {
	Code    string // what kind, at most 64 bytes; never empty
	Message string // one sentence, at most 1 KiB
	Hint    string // what to do next, at most 1 KiB; may be empty
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// codeInternal and its sentence stand for errors that are no *Error: their text
// may say too much.
const (
	codeInternal = "internal"
	textInternal = "the other node failed to answer"
)
