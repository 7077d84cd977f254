package node

import (
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

// operations lists all operations of a node. The parts may be nil: then the
// operations can be described, not performed.
func operations(m *mesh.Meshes, p *presence.Feature, d *message.Feature, f *shared) []op.Op {
	return slices.Concat(m.Ops(), p.Ops(), d.Ops(), f.grants.Ops(), f.states.Ops(), f.profiles.Ops(), f.overview.Ops(), f.audits.Ops(), f.gate.Ops(), f.saver.Ops(), f.health.Ops())
}

// Catalogue describes every operation without a node: surfaces make their tools,
// commands and pages from it.
func Catalogue() []op.Contract {
	var out []op.Contract
	for _, o := range operations(nil, nil, nil, &shared{}) {
		out = append(out, o.Contract)
	}
	slices.SortFunc(out, func(a, b op.Contract) int { return strings.Compare(a.ID, b.ID) })
	return out
}
