package form

import (
	"errors"
	"fmt"
	"strings"
)

// ErrShape means that a schema has what cannot be typed.
var ErrShape = errors.New("cannot be typed as words and flags")

// ValueError is a value that was typed wrong.
type ValueError struct {
	// Name is what the value is for, as it is typed: --flag or <word>.
	Name string
	// Value is what was typed.
	Value string
	// Allowed are the values there are. Without them, Want says what it must be.
	Allowed []string
	Want    string
}

// Error says what is wrong.
func (e *ValueError) Error() string {
	if len(e.Allowed) > 0 {
		return fmt.Sprintf("%s %q is none of %s", e.Name, e.Value, strings.Join(e.Allowed, ", "))
	}
	return fmt.Sprintf("%s %q is no %s", e.Name, e.Value, e.Want)
}
