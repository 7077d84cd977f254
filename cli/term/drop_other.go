//go:build !linux && !darwin

package term

import "os"

// dropInput does nothing: there no late answers of a terminal are waited for.
func dropInput(*os.File) {}
