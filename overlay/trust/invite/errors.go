package invite

import "errors"

var (
	// ErrLink reports text that is no invite link of ours.
	ErrLink = errors.New("not an invite link (claudemesh://join/…)")
	// ErrBlob reports a blob that the link's secret does not open, or that does
	// not hold the invite it should.
	ErrBlob = errors.New("the invite's description does not fit the link")
	// ErrClaim reports a sealed claim that does not open.
	ErrClaim = errors.New("the claim does not open")
	// ErrWelcome reports a welcome that is not what the invite promised.
	ErrWelcome = errors.New("the answer to the invite does not fit it")
)
