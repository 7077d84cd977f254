package trust

import "errors"

// When a statement or an entry is read.
var (
	// ErrInvalid reports a statement that is well encoded and breaks a rule of
	// its kind.
	ErrInvalid = errors.New("statement breaks a rule")
	// ErrKind reports a statement of a kind that is not expected here.
	ErrKind = errors.New("statement of another kind")
	// ErrName reports a name that is empty, too long or has characters that
	// names may not have.
	ErrName = errors.New("not a usable name")
)

// When an entry is added to a log.
var (
	// ErrRefused reports an entry that can never be part of this log.
	ErrRefused = errors.New("entry refused")
	// ErrFull reports that too many entries wait for their parents. Fetching the
	// log from its beginning, in order, never meets it.
	ErrFull = errors.New("too many log entries wait for their parents")
)

// When a statement is made.
var (
	// ErrDenied reports a signer whose role does not allow the statement.
	ErrDenied = errors.New("not allowed by the mesh's admin log")
	// ErrNotMember reports somebody who is no member of the mesh.
	ErrNotMember = errors.New("no member of this mesh")
	// ErrMember reports somebody who is a member already.
	ErrMember = errors.New("already a member of this mesh")
	// ErrInvite reports an invite that does not admit: unknown, used up, ended,
	// expired, or another's to use.
	ErrInvite = errors.New("the invite does not admit")
	// ErrTooMany reports a list over its limit.
	ErrTooMany = errors.New("too many at once")
)

// When statements of members are judged, and keys are opened.
var (
	// ErrExpired reports a statement whose time is over or has not come.
	ErrExpired = errors.New("statement is not valid at this time")
	// ErrRight reports a session without the right that was asked for.
	ErrRight = errors.New("the session does not have this right")
	// ErrProof reports a proof that does not fit its connection.
	ErrProof = errors.New("proof does not fit this connection")
	// ErrNoKey reports an epoch whose key is not known yet.
	ErrNoKey = errors.New("epoch key is not known yet")
	// ErrKey reports a key that is not the one its epoch commits to.
	ErrKey = errors.New("not the key of this epoch")
)
