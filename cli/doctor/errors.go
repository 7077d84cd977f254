package doctor

import "errors"

// The causes that findings name.
var (
	errReplaced = errors.New("something else has come there") // it is no file any more
	errSeed     = errors.New("the file does not hold 64 hex digits")
	errSign     = errors.New("it does not sign what its public half verifies")
)
