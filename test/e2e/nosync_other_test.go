//go:build !linux

package e2e

import "errors"

// ignoreSyncs is only called where there is FUSE.
func ignoreSyncs() error { return errors.ErrUnsupported }
