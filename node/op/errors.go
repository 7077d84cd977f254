package op

import (
	"context"
	"errors"
	"fmt"
)

// Code is what kind of failure an operation met. Every surface maps it to its own
// vocabulary: exit status, HTTP status, MCP error result.
type Code string

// The complete list of codes.
const (
	NotFound    Code = "not_found"    // no such mesh, peer, message, operation
	Ambiguous   Code = "ambiguous"    // several things match; the message lists them
	Denied      Code = "denied"       // the caller may not
	Offline     Code = "offline"      // the other side, or this node, cannot be reached
	Expired     Code = "expired"      // an invite, an attestation or a time limit is over
	TooLarge    Code = "too_large"    // the message says the limit and the actual size
	RateLimited Code = "rate_limited" // too many; the message says when to try again
	Invalid     Code = "invalid"      // the request itself is wrong
	Conflict    Code = "conflict"     // something else exists under that name or id
	Unavailable Code = "unavailable"  // not now; trying again later may work
	Internal    Code = "internal"     // a fault of ours
)

// Error is a failure a user can act on.
type Error struct {
	// Code is the kind of failure.
	Code Code `json:"code"`
	// Message is one sentence saying what is wrong.
	Message string `json:"message"`
	// Hint is one sentence saying what to do next. It may be empty.
	Hint string `json:"hint,omitempty"`
	// Ask tells that the same request is performed once a person has said yes to it.
	Ask bool `json:"ask,omitempty"`
	// Said and SaidHint are how Message and Hint were made, so that they can be said in
	// another language. Nil, or another text than theirs, means nothing.
	Said     *Phrase `json:"said,omitempty"`
	SaidHint *Phrase `json:"said_hint,omitempty"`

	cause error
}

// In is the message and the hint as say has them, else in English.
func (e *Error) In(say func(format string) string) (message, hint string) {
	return inOther(e.Message, e.Said, say), inOther(e.Hint, e.SaidHint, say)
}

// inOther says a text. One of which it is not known how it was made is said only if say
// knows all of it.
func inOther(text string, made *Phrase, say func(format string) string) string {
	if made != nil && made.text == text {
		return made.In(say)
	}
	return Word(text).In(say)
}

// phrase is the message as a Phrase.
func (e *Error) phrase() Phrase {
	if e.Said != nil && e.Said.text == e.Message {
		return *e.Said
	}
	return Word(e.Message)
}

// Error returns the message, which holds the text of a cause already.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an Error. A %w verb keeps the cause for errors.Is.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	said := phrased(err.Error(), format, args)
	return &Error{Code: code, Message: err.Error(), Said: &said, cause: errors.Unwrap(err)}
}

// WithHint returns a copy of e that says what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	said := Phrasef(format, args...)
	c.Hint, c.SaidHint = said.text, &said
	return &c
}

// CodeOf maps any error to its code: the one mapper in the program.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Unavailable
	default:
		return Internal
	}
}

// AsError turns any error into an Error that a surface can show. An error without
// a code is a fault of ours and keeps its text.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	said := PhraseOf(err)
	return &Error{Code: CodeOf(err), Message: err.Error(), Said: &said, cause: err}
}
