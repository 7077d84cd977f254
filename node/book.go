package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// shelves shows the meshes to the book of records.
type shelves struct{ meshes *mesh.Meshes }

// All implements record.Meshes.
func (s shelves) All() []ident.MeshID {
	all := s.meshes.All()
	out := make([]ident.MeshID, 0, len(all))
	for _, m := range all {
		out = append(out, m.ID())
	}
	return out
}

// Get implements record.Meshes.
func (s shelves) Get(id ident.MeshID) (record.Mesh, bool) {
	m, ok := s.meshes.Get(id)
	if !ok {
		return record.Mesh{}, false
	}
	return record.Mesh{Self: m.Self(), Blind: m.Blind(), Admin: m.Admin(), Ring: m.Ring(), Gen: m.Gen(), Rebind: m.Rebind, Suspended: m.Suspended}, true
}

// newBook makes the book of records, and what writes the delivery keys into it.
func (n *Node) newBook() (err error) {
	n.book, err = record.New(record.Config{
		DB: n.db, Meshes: shelves{n.meshes}, MeshTime: n.meshTime, Shout: n.net.shoutRecord,
		Adopted: func(id ident.MeshID) { n.net.syncs.some(id, askedAnew) },
		Refused: func(id ident.MeshID, author ident.PublicKey) { n.refused(id, author, "record") },
		Now:     n.cfg.Now, Mono: n.cfg.Mono, Log: n.log,
	})
	n.net.deliveries = &deliveries{meshes: n.meshes, book: n.book, log: n.log, later: n.net.later}
	n.net.syncs = &syncs{
		host: n.host, book: n.book, meshes: n.meshes, log: n.log, differ: n.net.differ, publish: n.net.deliveries.publish,
		refused: n.refused, paces: newExchangePaces(n.cfg.Mono),
	}
	return err
}

// kinds lists the records of all features.
func (n *Node) kinds() []record.Kind {
	return slices.Concat(n.net.deliveries.Kinds(), n.presence.Kinds(), n.states.Kinds(), n.profiles.Kinds(), n.audits.Kinds())
}

// meshTime is what time it is in a mesh.
func (n *Node) meshTime(id ident.MeshID) time.Time { return n.presence.MeshTime(id) }

// startBook makes the records ready to be read and written.
func (n *Node) startBook(ctx context.Context) error {
	if err := n.book.Use(n.kinds()...); err != nil {
		return err
	}
	if err := n.book.Start(ctx); err != nil {
		return err
	}
	for _, m := range n.meshes.All() {
		n.net.deliveries.publish(ctx, m.ID())
	}
	return nil
}

// keeps is mesh.Config.Keeps.
func (n *Node) keeps(id ident.MeshID, members []ident.PublicKey) ([][]byte, error) {
	return n.book.Keeps(id, members)
}

// forget is mesh.Config.Forget.
func (n *Node) forget(tx *store.Tx, id ident.MeshID) error {
	return errors.Join(n.book.Drop(tx, id), n.grants.Drop(tx, id), n.audits.Forget(tx, id), forgetStanding(tx, id))
}

// renewed is mesh.Config.Renewed.
func (n *Node) renewed(id ident.MeshID) {
	n.net.later(func(ctx context.Context) { n.net.deliveries.publish(ctx, id) })
}

// shoutRecord tells the members connected now of a record.
func (n *network) shoutRecord(ctx context.Context, id ident.MeshID, raw []byte) {
	if err := n.radios.say(ctx, id, sayRecord, raw); err != nil && ctx.Err() == nil {
		n.log.Debug("record not shouted", "mesh", id, "error", err)
	}
}
