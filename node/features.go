package node

import (
	"context"
	"slices"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

// operations lists all operations of a node. The parts may be nil: then the
// operations can be described, not performed.
func operations(m *mesh.Meshes, p *presence.Feature, d *message.Feature, f *shared) []op.Op {
	return slices.Concat(m.Ops(), p.Ops(), d.Ops(), f.grants.Ops(), f.states.Ops(), f.profiles.Ops(), f.overview.Ops(), f.audits.Ops(), f.saver.Ops())
}

// Catalogue describes every operation without a node: surfaces make their tools,
// commands and pages from it.
func Catalogue() []op.Contract {
	var out []op.Contract
	for _, o := range operations(nil, nil, nil, &shared{}) {
		out = append(out, o.Contract)
	}
	slices.SortFunc(out, func(a, b op.Contract) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}

// guard decides who may ask for what. Another node has proved its membership and
// reaches only operations meant for peers. A person may do everything here. An
// agent's session acts within its member's meshes, but who comes and goes in them
// is a person's decision.
func guard(_ context.Context, c op.Caller, k op.Contract) error {
	switch {
	case c.User, c.Remote():
		return nil
	case c.Session != "" && k.Needs != op.Manage:
		return nil
	case c.Session != "":
		return op.Errorf(op.Denied, "an agent's session may not use %s", k.ID).
			WithHint("run the command in a terminal of your own, outside the agent")
	default:
		return op.Errorf(op.Denied, "the caller is not known")
	}
}
