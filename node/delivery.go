package node

import (
	"bytes"
	"context"
	"log/slog"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// deliveries are the members' delivery keys as records, so that a letter to somebody
// who was never met is sealed to a key that is newer than its long-term one. Nodes that
// meet exchange them in the handshake besides, which is sooner.
//
// Kind "delivery": key the member's key in hex, value its delivery statement.
type deliveries struct {
	meshes *mesh.Meshes
	book   *record.Book
	log    *slog.Logger
	// later runs what may not run inside a commit.
	later func(func(context.Context))
}

const deliveryKind = "delivery"

// Kinds declares the records.
func (d *deliveries) Kinds() []record.Kind {
	return []record.Kind{{
		Name:   deliveryKind,
		Writes: func(_ ident.MeshID, author ident.PublicKey, key string) bool { return author.String() == key },
		Check: func(value []byte) error {
			_, err := ident.ParseStatement(value, trust.MaxBody)
			return err
		},
		Changed: d.changed,
	}}
}

func (d *deliveries) changed(tx *store.Tx, c record.Change) error {
	if c.New != nil && !c.Own {
		e := *c.New
		tx.OnCommit(func() { d.later(func(context.Context) { d.learn(c.Mesh, e) }) })
	}
	return nil
}

func (d *deliveries) learn(id ident.MeshID, e record.Entry) {
	m, ok := d.meshes.Get(id)
	if !ok || e.Author == m.Self() {
		return
	}
	if err := m.Learn(e.Author, e.Value); err != nil {
		d.log.Debug("delivery key refused", "mesh", id, "member", e.Author, "error", err)
	}
}

// publish writes the own newest delivery key if it is not written yet.
func (d *deliveries) publish(ctx context.Context, id ident.MeshID) {
	m, ok := d.meshes.Get(id)
	if !ok {
		return
	}
	if _, in := m.State().Member(m.Self()); !in {
		return
	}
	key, want := m.Self().String(), m.Delivery()
	have, found, err := d.book.Get(id, deliveryKind, key)
	if err == nil && (!found || !bytes.Equal(have.Value, want)) {
		_, err = d.book.Put(ctx, id, deliveryKind, key, want)
	}
	if err != nil && ctx.Err() == nil {
		d.log.Warn("delivery key not published", "mesh", id, "error", err)
	}
}
