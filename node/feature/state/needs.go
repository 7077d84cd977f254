package state

import (
	"context"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Book keeps and replicates records; *record.Book is one.
type Book interface {
	Put(ctx context.Context, mesh ident.MeshID, kind, key string, value []byte) (record.Entry, error)
	Get(mesh ident.MeshID, kind, key string) (record.Entry, bool, error)
	Each(mesh ident.MeshID, kind, prefix string, fn func(record.Entry)) error
}

// Sessions are this node's own sessions.
type Sessions interface {
	// Caller finds the session that c acts as in a mesh; an empty slug means the
	// only one.
	Caller(c op.Caller, slug string) (Self, error)
	// Local lists the open sessions in a mesh, the hidden one of the person at the
	// terminal among them.
	Local(mesh ident.MeshID) []Self
}

// Meshes is what is to be known of membership.
type Meshes interface {
	// Members lists the current members of a mesh by name.
	Members(mesh ident.MeshID) []Member
	// Author is how somebody is named who wrote under a session's name: so that
	// nobody can be taken for another.
	Author(mesh ident.MeshID, member ident.PublicKey, session string) string
	// Setting is what the admin log says under a key, empty for nothing.
	Setting(mesh ident.MeshID, key string) string
	// SetSetting writes it; empty unsets. It fails with op.Denied unless this node's
	// member is the owner or an admin.
	SetSetting(ctx context.Context, mesh ident.MeshID, key, value string) error
}

// Grants is what the own member lets others do. It is called inside transactions and
// must answer from memory.
type Grants interface {
	// Shows tells whether what a member wrote is shown here.
	Shows(mesh ident.MeshID, author ident.PublicKey) bool
	// Counts tells whether what a member writes counts here: else a key shows what
	// somebody else wrote last.
	Counts(mesh ident.MeshID, author ident.PublicKey) bool
}

// Self is one of this node's sessions in one mesh.
type Self struct {
	Mesh    ident.MeshID
	Slug    string
	Member  ident.PublicKey
	Session ident.PublicKey
	Name    string
	// ID is the session's local id.
	ID string
	// MayWrite tells whether its member vouches for it with the right to write
	// shared state.
	MayWrite bool
	// Blind says that it was opened without the right to read shared state.
	Blind bool
}

// Member is one current member of a mesh.
type Member struct {
	Key  ident.PublicKey
	Name string
}
