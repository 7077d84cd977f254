package join

import (
	"errors"
	"fmt"
)

// What an admitter refuses a claim for. Each says what to do next.
var (
	// ErrExpired: the invite's time is over.
	ErrExpired = errors.New("the invite has expired: ask the inviter for a new one")
	// ErrSpent: all uses of the invite are used up.
	ErrSpent = errors.New("the invite has been used up: ask the inviter for a new one")
	// ErrEnded: the invite was withdrawn, or its signer may not invite any more.
	ErrEnded = errors.New("the invite was withdrawn: ask a member of the mesh for a new one")
	// ErrUnknown: the node asked has no such invite.
	ErrUnknown = errors.New("the inviting node does not know this invite: check that the link is complete, or ask for a new one")
	// ErrDenied: the claim was refused for what it says, such as keys that were removed from the mesh.
	ErrDenied = errors.New("the inviting node refused to admit these keys: ask an admin of the mesh")
	// ErrUnavailable: the admitter cannot admit now.
	ErrUnavailable = errors.New("the inviting node cannot admit now: try again later")
)

// What goes wrong on the way.
var (
	// ErrUnreachable: no connection to the admitter, or it broke. Joining again with the same seed is
	// safe: what was admitted stays so.
	ErrUnreachable = errors.New("the inviting node cannot be reached: it must be running; try again when it is")
	// ErrInvite: what the admitter sent does not fit the link. It is not to be trusted.
	ErrInvite = errors.New("the invite does not prove what it says: ask the inviter for a new one")
	// ErrWelcome: the admitter's welcome does not fit the invite or does not admit us.
	ErrWelcome = errors.New("the inviting node's answer does not admit this node: ask the inviter for a new invite")
	// ErrMalformed: bytes that are no message of this protocol.
	ErrMalformed = errors.New("join: malformed message")
)

// reason is a refusal as it travels.
type reason string

const (
	codeExpired     reason = "expired"
	codeSpent       reason = "spent"
	codeEnded       reason = "ended"
	codeUnknown     reason = "unknown"
	codeDenied      reason = "denied"
	codeUnavailable reason = "unavailable"
)

// refusals maps codes to errors and back; the first that fits counts.
var refusals = [...]struct {
	code reason
	err  error
}{
	{codeExpired, ErrExpired},
	{codeSpent, ErrSpent},
	{codeEnded, ErrEnded},
	{codeUnknown, ErrUnknown},
	{codeDenied, ErrDenied},
	{codeUnavailable, ErrUnavailable},
}

// codeOf is the code of an Admitter's error; unavailable for errors of its own.
func codeOf(err error) reason {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return codeUnavailable
}

// errorOf is the error of a code, also of one that a later version may have.
func errorOf(c reason) error {
	for _, r := range refusals {
		if r.code == c {
			return r.err
		}
	}
	return fmt.Errorf("%w (%s)", ErrUnavailable, c)
}
