package grant

import (
	"context"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Meshes is what grants must know of membership. It must answer from memory.
type Meshes interface {
	// Caller finds in which mesh c asks; an empty slug means the only one.
	Caller(c op.Caller, slug string) (Self, error)
	// List lists the meshes this node is in, by slug.
	List() []Self
	// Members lists the current members, by the names that count for them.
	Members(mesh ident.MeshID) []Member
	// Owner finds the member of a session by the session's whole name, its key or 8 or
	// more digits of that.
	Owner(mesh ident.MeshID, session string) (ident.PublicKey, bool)
	// Listeners are the local ids of the open sessions, the terminal's among them.
	Listeners(mesh ident.MeshID) []string
}

// Self is the own member in one mesh.
type Self struct {
	Mesh   ident.MeshID
	Slug   string
	Member ident.PublicKey
}

// Member is one current member.
type Member struct {
	Key  ident.PublicKey
	Name string
}

// Mail is the messages that have come.
type Mail interface {
	// Hold quarantines, in a commit, what came of a principal and was shown nobody:
	// direct messages, those to many, or both.
	Hold(tx *store.Tx, mesh ident.MeshID, from ident.PublicKey, direct, many bool) error
	// Release has what is quarantined of a principal wait again, and counts it.
	Release(ctx context.Context, mesh ident.MeshID, from ident.PublicKey) (int, error)
}
