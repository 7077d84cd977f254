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
	if len(s.Meshes) == 0 && len(s.Outcast) > 0 {
		return outcast(s.Outcast[0])
	}
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

// outcast is the failure of a mesh that no session can be in.
func outcast(m Mesh) error {
	return op.Errorf(op.Denied, "%s", m.Trouble).WithHint("`claudemesh list` and `claudemesh doctor` say what can be done; --join <link> leads to another mesh")
}

// noMesh is the failure of a mesh that was named and is not there.
func noMesh(name string, s *Session) error {
	for _, m := range s.Outcast {
		if m.Name == name || m.ID == name {
			return outcast(m)
		}
	}
	err := op.Errorf(op.NotFound, "you are in no mesh named %q", name)
	if len(s.Meshes) == 0 {
		return err.WithHint("you are in none: `claudemesh new <name>` makes one, `claudemesh join <link>` joins one")
	}
	return err.WithHint("your meshes: %s", strings.Join(s.names(), ", "))
}
