package presence

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Meshes is what presence must know of membership.
type Meshes interface {
	// List names the meshes this node is in, by slug.
	List() []Mesh
	// Members lists the current members of a mesh.
	Members(mesh ident.MeshID) []Member
	// Attest has the own member key vouch for a session key under a name, with the
	// rights listed; empty: with all.
	Attest(mesh ident.MeshID, session ident.PublicKey, name, rights string) (stmt []byte, until time.Time, err error)
	// Vouched returns the session key and name that a member's attestation vouches
	// for, or an error when it does not hold at the given time.
	Vouched(mesh ident.MeshID, member ident.PublicKey, attest []byte, at time.Time) (ident.PublicKey, string, error)
	// SignBeacon signs a beacon with the own member key.
	SignBeacon(mesh ident.MeshID, body []byte) ([]byte, error)
}

// Air is the network as presence uses it.
type Air interface {
	// Shout sends a beacon to every member connected now.
	Shout(ctx context.Context, mesh ident.MeshID, beacon []byte)
	// Ask has a member's node perform an operation of presence.
	Roster(ctx context.Context, mesh ident.MeshID, member ident.PublicKey) (RosterResponse, error)
	// Path tells how a member's node is reached now: local, direct, relayed or
	// unreachable, and the round-trip time where it is known.
	Path(mesh ident.MeshID, member ident.PublicKey) (string, time.Duration)
	// Card is what the node adds to its beacons.
	Card(mesh ident.MeshID) roster.Node
	// Met tells the network of another member's card.
	Met(mesh ident.MeshID, member ident.PublicKey, card roster.Node)
}

// Records are the shared records of the meshes, as *record.Book keeps them.
type Records interface {
	Put(ctx context.Context, mesh ident.MeshID, kind, key string, value []byte) (record.Entry, error)
	Delete(ctx context.Context, mesh ident.MeshID, kind, key string) (existed bool, err error)
	List(mesh ident.MeshID, kind, prefix string) ([]record.Entry, error)
}

// Regard is what the own member thinks of another.
type Regard interface {
	// Reads tells whether what the member says of itself is shown here, beyond what it
	// is addressed by.
	Reads(mesh ident.MeshID, member ident.PublicKey) bool
	// Verified tells whether the member's key was compared.
	Verified(mesh ident.MeshID, member ident.PublicKey) bool
	// Warning says why the member may not be who it seems to be; empty: nothing does.
	Warning(mesh ident.MeshID, member ident.PublicKey) string
}

// Mesh is one mesh of this node.
type Mesh struct {
	ID   ident.MeshID
	Slug string
	// Self is the own member's key, Name its name, Role its role.
	Self ident.PublicKey
	Name string
	Role string
}

// Member is one current member of a mesh.
type Member struct {
	Key  ident.PublicKey
	Name string
	Role string
	// By admitted it, at Since by that one's clock; the owner's is its own.
	By    ident.PublicKey
	Since time.Time
}
