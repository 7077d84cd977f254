package profile

import (
	"context"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Book keeps and replicates records; *record.Book is one.
type Book interface {
	Put(ctx context.Context, mesh ident.MeshID, kind, key string, value []byte) (record.Entry, error)
	List(mesh ident.MeshID, kind, prefix string) ([]record.Entry, error)
}

// Meshes is what is to be known of membership.
type Meshes interface {
	// Caller finds the mesh that c means and the own member in it; an empty slug means
	// the only one.
	Caller(c op.Caller, slug string) (Self, error)
	// List names the meshes this node is in.
	List() []Self
	// Members lists the current members of a mesh by the names they were admitted
	// under.
	Members(mesh ident.MeshID) []Member
	// Admin tells whether somebody is the owner or an admin.
	Admin(mesh ident.MeshID, member ident.PublicKey) bool
}

// Self is the own member in one mesh.
type Self struct {
	Mesh   ident.MeshID
	Slug   string
	Member ident.PublicKey
}

// Member is one current member of a mesh.
type Member struct {
	Key ident.PublicKey
	// Name is the one in the admin log.
	Name string
	// Role is owner, admin, member or service.
	Role string
}
