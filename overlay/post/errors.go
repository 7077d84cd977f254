package post

import "errors"

// Sending.
var (
	// ErrUnreachable: the recipient's home cannot be reached now, or the stream
	// to it broke. Some of the letters may have arrived; posting them again does
	// no harm. Its cause is wrapped beside it.
	ErrUnreachable = errors.New("post: the recipient's node cannot be reached now")
	// ErrTooLarge: a letter or receipt is over MaxLetter; nothing was sent.
	ErrTooLarge = errors.New("post: letter over its limit")
	// ErrStopped: the Post does not run (yet, or any more).
	ErrStopped = errors.New("post: not running")
)

// Within a stream; each ends it. They are logged, and wrapped by ErrUnreachable.
var (
	errFrame     = errors.New("post: malformed frame")
	errOrder     = errors.New("post: frame out of place")
	errStatement = errors.New("post: stream statement that does not hold")
	errSigner    = errors.New("post: stream statement of another member")
	errKey       = errors.New("post: sealed to a key that is not here")
	errWindow    = errors.New("post: more acknowledged than sent")
	errBeyond    = errors.New("post: more under way than a window")
	errWrongEnd  = errors.New("post: the stream leads to another member")
	errReceipt   = errors.New("post: receipt over its limit")
	errEnded     = errors.New("post: stream has ended")
)
