package scheme

import "errors"

var (
	// ErrLink means that a text is no link that may be opened.
	ErrLink = errors.New("this is no claudemesh link")
	// ErrPath means that the program's path cannot be written where it has to stand.
	ErrPath = errors.New("the program's path has characters that cannot be registered")
	// ErrSystem means that this system has no way to register links.
	ErrSystem = errors.New("links cannot be registered on this system")
)
