package node

import (
	"cmp"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/policy"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// newGate makes what stands before all operations that people and agents ask for. What
// it lets through is performed once the operations are there.
func (n *Node) newGate() {
	n.gate = &policy.Gate{
		Source: policy.NewSource(policy.Path(n.cfg.Dir), cmp.Or(n.cfg.SystemPolicy, policy.System())),
		Mesh: func(name string) (slug, id string, ok bool) {
			m, err := n.meshes.Find(name)
			if err != nil {
				return "", "", false
			}
			return m.Slug(), m.ID().String(), true
		},
		Tell: n.decided,
	}
}

// openGate has the gate lead to the operations.
func (n *Node) openGate() {
	n.gate.Next, n.gate.Contracts = n.ops, make(map[string]op.Contract)
	for _, k := range n.ops.Contracts() {
		n.gate.Contracts[k.ID] = k
	}
}

// decided puts a decision of the policy into this node's account.
func (n *Node) decided(t policy.Told) {
	by, passed := "person", "no"
	if t.Agent {
		by = "agent"
	}
	if t.Passed {
		passed = "yes"
	}
	id, err := ident.ParseMeshID(t.MeshID)
	if err != nil {
		id = ident.MeshID{} // it concerns no mesh that is known here
	}
	n.audits.Note(audit.Event{Mesh: id, Name: "policy_" + string(t.Decision), Data: map[string]string{
		"operation": t.Operation, "by": by, "passed": passed, "why": t.Why,
	}})
}
