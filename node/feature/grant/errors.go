package grant

import "errors"

var errConfig = errors.New("grant: a field of the config is missing")
