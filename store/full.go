package store

import (
	"errors"
	"fmt"
	"strings"
)

// full reports whether err says that the disk has no room. bbolt keeps only
// the text of some causes.
func full(err error) bool {
	for _, cause := range fullErrors() {
		if errors.Is(err, cause) || strings.Contains(err.Error(), cause.Error()) {
			return true
		}
	}
	return false
}

// asFull adds ErrFull to an error that means it.
func asFull(err error) error {
	if err != nil && full(err) && !errors.Is(err, ErrFull) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
