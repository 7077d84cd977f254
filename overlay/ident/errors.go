package ident

import "errors"

// When keys and ids are parsed.
var (
	// ErrKey reports bytes that are no acceptable public key.
	ErrKey = errors.New("not a valid public key")
	// ErrMeshID reports text that is no mesh id.
	ErrMeshID = errors.New("not a mesh id (32 characters a-z, 2-7)")
	// ErrID reports text that is no statement id.
	ErrID = errors.New("not a statement id (64 hex digits)")
	// ErrSecret reports an attempt to write a secret as text.
	ErrSecret = errors.New("a secret key has no text form")
)

// When statements are read or verified.
var (
	// ErrSignature reports a statement whose signatures do not verify.
	ErrSignature = errors.New("signature does not verify")
	// ErrEncoding reports bytes that are not the encoding this package writes.
	ErrEncoding = errors.New("malformed encoding")
	// ErrTooLarge reports a length over its limit; nothing was allocated for it.
	ErrTooLarge = errors.New("over the size limit")
	// ErrUnknownField reports an unknown field that must be understood.
	ErrUnknownField = errors.New("unknown critical field")
	// ErrMissingField reports a required field that is not there.
	ErrMissingField = errors.New("required field is missing")
)
