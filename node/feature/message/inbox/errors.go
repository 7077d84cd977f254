package inbox

import "errors"

// ErrBroken means that a value on disk is not what this package wrote.
var ErrBroken = errors.New("inbox: damaged value")
