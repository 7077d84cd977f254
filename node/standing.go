package node

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Somebody else can end what this node does in a mesh: its member is removed, or a
// backup of it is restored elsewhere. Whoever works here is told so once, and once more
// when it is over. What was told last is in the bucket "standing", by mesh id; nothing
// there stands for a member in good standing.
const bucketStanding = "standing"

// The events, which are what is kept as well.
const (
	standsRemoved    = "removed"
	standsSuspended  = "suspended"
	standsReadmitted = "readmitted" // told, not kept
)

// standing is how the own member of a mesh stands, empty if well.
func standing(m *mesh.Mesh) string {
	if _, gone := m.Removed(); gone {
		return standsRemoved
	}
	if m.Suspended() {
		return standsSuspended
	}
	return ""
}

// checkStanding tells sessions and the log if the own member of a mesh stands otherwise
// than was told last.
func (n *Node) checkStanding(ctx context.Context, id ident.MeshID) {
	m, ok := n.meshes.Get(id)
	if !ok {
		return
	}
	if g, gone := m.State().Gone[trust.Principal(m.Self())]; gone && g.Left {
		return // by whoever works here
	}
	is, key, told := standing(m), []byte(id.String()), false
	err := n.db.View(func(tx *store.Tx) error {
		told = string(tx.Bucket(bucketStanding).Get(key)) == is
		return nil
	})
	if err == nil && !told {
		err = n.db.Update(ctx, func(tx *store.Tx) error { return n.tellStanding(tx, m, is) })
	}
	if err != nil && ctx.Err() == nil {
		n.log.Warn("sessions not told how their mesh stands", "mesh", id, "standing", is, "error", err)
	}
}

// tellStanding keeps what is told and has it told to every session, in one commit.
func (n *Node) tellStanding(tx *store.Tx, m *mesh.Mesh, is string) error {
	b, key := tx.Bucket(bucketStanding), []byte(m.ID().String())
	if string(b.Get(key)) == is {
		return nil
	}
	e := op.System{Event: is, Text: "WARNING: " + m.Info().Trouble().String()}
	if is == "" {
		e = op.System{Event: standsReadmitted, Text: "You are a member of " + m.Slug() + " here again."}
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	event, err := json.Marshal(op.Event{Topic: op.TopicSystem, Mesh: m.ID().String(), Slug: m.Slug(), Data: data})
	if err != nil {
		return err
	}
	tx.Append(store.Change{Topic: op.TopicSystem, Data: event}) // to everybody here
	if is == "" {
		return b.Delete(key)
	}
	return b.Put(key, []byte(is))
}

// forgetStanding forgets what was told, in the commit that forgets a mesh.
func forgetStanding(tx *store.Tx, id ident.MeshID) error {
	return tx.Bucket(bucketStanding).Delete([]byte(id.String()))
}
