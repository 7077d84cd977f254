package overview

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Sessions is who is there.
type Sessions interface {
	// Caller finds the session that c acts as in a mesh; an empty slug means the only
	// one.
	Caller(c op.Caller, slug string) (Self, error)
	// Local lists the open sessions of this node in a mesh, hidden ones among them.
	Local(mesh ident.MeshID) []Self
	// Peers lists the sessions of a mesh that are there, or away for now, as far as
	// they show themselves to this node; its own are among them.
	Peers(mesh ident.MeshID) []Peer
}

// Meshes is what is to be known of membership.
type Meshes interface {
	// List names the meshes this node is in, by slug.
	List() []Mesh
	// Members lists the current members of a mesh by name.
	Members(mesh ident.MeshID) []Member
}

// Air reaches the other members' nodes.
type Air interface {
	// Path tells how a member's node is reached now: local, direct, relayed or
	// unreachable.
	Path(mesh ident.MeshID, member ident.PublicKey) string
	// Probe has a member's node answer Probe.
	Probe(ctx context.Context, mesh ident.MeshID, member ident.PublicKey, in ProbeRequest) (ProbeResponse, error)
}

// Stock is what the other features keep.
type Stock interface {
	// Keys lists shared keys, ascending, at most most, and counts them all.
	Keys(mesh ident.MeshID, most int) (keys []string, total int, err error)
	// Waiting counts messages of this node that their recipients' nodes have not
	// confirmed.
	Waiting(mesh ident.MeshID) (int, error)
}

// Mesh is one mesh of this node.
type Mesh struct {
	ID   ident.MeshID
	Slug string
	// Self is the own member, Role its role.
	Self ident.PublicKey
	Role string
}

// Self is one of this node's sessions in one mesh.
type Self struct {
	Mesh    Mesh
	Session ident.PublicKey
	Name    string
	Groups  []GroupOfPeer
	// Status is idle, working or dnd; Mode push, inbox or off.
	Status, Mode string
	// Attached tells whether its feed is followed now, Visible whether others see it.
	Attached, Visible bool
	// Person tells that it is nobody's agent, but the person at the terminal.
	Person bool
}

// Peer is a session that others see.
type Peer struct {
	Name    string
	Session ident.PublicKey
	Member  ident.PublicKey
	Online  bool
	Groups  []string
	// Done is what it has done; nil: not known.
	Done *Done
}

// Done is what a session has done since it began.
type Done struct {
	In, Out, Calls, Errors int
	Uptime                 time.Duration
}

// Member is one current member of a mesh.
type Member struct {
	Key        ident.PublicKey
	Name, Role string
	// Online tells whether its node is; the own one's always is.
	Online bool
}
