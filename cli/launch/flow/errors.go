package flow

import (
	"errors"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// ErrCancelled means that a person does not want to go on.
var ErrCancelled = errors.New("cancelled: nothing was started")

// Missing is the failure of a flow that may ask nobody.
func missing(e Step, s *Session) error {
	err := op.Errorf(op.Invalid, "%s is missing, and nobody can be asked", e.Flag)
	if len(s.Meshes) == 0 {
		return err.WithHint("you are in no mesh: `claudemesh launch --join <link>` joins one, `claudemesh new <name>` makes one")
	}
	var values []string
	if q := e.Ask(s); len(q.Options) > 0 {
		for _, o := range q.Options {
			if !isRoute(o.Value) {
				values = append(values, o.Value)
			}
		}
	}
	if len(values) > 0 {
		return err.WithHint("one of: %s", strings.Join(values, ", "))
	}
	return err.WithHint("add it, or run this on a terminal")
}

// noMesh is the failure of a mesh that was named and is not there.
func noMesh(name string, s *Session) error {
	err := op.Errorf(op.NotFound, "you are in no mesh named %q", name)
	if len(s.Meshes) == 0 {
		return err.WithHint("you are in none: `claudemesh new <name>` makes one, `claudemesh join <link>` joins one")
	}
	return err.WithHint("your meshes: %s", strings.Join(s.names(), ", "))
}
