package renegade

import (
	"crypto/hpke"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Keys are a member's, for the post. It implements post.Keys.
type Keys struct {
	Mesh *mesh.Mesh
	// DeliveryKey is given instead of the own one, if it is not nil.
	DeliveryKey []byte
	// Stream makes the statement that opens a stream, of the body that an honest one has.
	// Nil: it is that.
	Stream func(body []byte) ident.Statement
}

// Sign implements post.Keys.
func (k Keys) Sign(_ ident.MeshID, kind ident.Kind, body []byte) (ident.Statement, error) {
	if kind == ident.KindStream && k.Stream != nil {
		return k.Stream(body), nil
	}
	return k.Mesh.Sign(kind, body), nil
}

// Self implements post.Keys.
func (k Keys) Self(ident.MeshID) (ident.PublicKey, error) { return k.Mesh.Self(), nil }

// Private implements post.Keys.
func (k Keys) Private(_ ident.MeshID, id [32]byte) (hpke.PrivateKey, bool) { return k.Mesh.Private(id) }

// Delivery implements post.Keys.
func (k Keys) Delivery(ident.MeshID) []byte {
	if k.DeliveryKey != nil {
		return k.DeliveryKey
	}
	return k.Mesh.Delivery()
}

// Public implements post.Keys.
func (k Keys) Public(_ ident.MeshID, member ident.PublicKey) (delivery, seal []byte, err error) {
	return k.Mesh.Public(member)
}

// Learn implements post.Keys.
func (k Keys) Learn(_ ident.MeshID, member ident.PublicKey, statement []byte) error {
	return k.Mesh.Learn(member, statement)
}
