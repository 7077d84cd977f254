package message

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Sessions is what messages must know of sessions. It is never called inside a
// transaction of the store.
type Sessions interface {
	// Caller is the session c acts as in the mesh it named ("": its only or
	// default mesh). The person at the terminal has a hidden session of its own.
	Caller(c op.Caller, slug string) (Self, error)
	// Callers are all sessions c acts as, one per mesh, by the meshes' names here.
	// It fails like Caller if there is none.
	Callers(c op.Caller) ([]Self, error)
	// Local lists this node's open sessions in a mesh, the terminal's included.
	Local(mesh ident.MeshID) []Self
	// Resolve finds what a session typed. It fails with op.NotFound or, listing
	// the candidates, op.Ambiguous.
	Resolve(mesh ident.MeshID, from Self, target string) (Address, error)
}

// Self is a session of this node in one mesh.
type Self struct {
	Mesh    ident.MeshID
	Slug    string // the mesh's name here
	Member  ident.PublicKey
	Session ident.PublicKey
	Key     ident.PrivateKey // of the session
	Attest  []byte           // the member's attestation of it, as it travels
	Name    string
	ID      string // local id: the feed address
	// Attached, Status and Mode are the gate's inputs; LastActive decides which
	// of several sessions is offered a message to their member.
	Attached   bool
	Status     string // idle, working, dnd
	Mode       string // push, inbox, off
	LastActive time.Time
	// Prompted is when a person last gave the session's agent something to do, by
	// the wall clock; zero: nobody reports that.
	Prompted time.Time
	// Silent and Narrow say that its member vouches for it without the right to send
	// messages, and without the right to send them to many.
	Silent, Narrow bool
}

// Accepted is what others hear of a message of this node: never its text.
type Accepted struct {
	Mesh     ident.MeshID
	Member   ident.PublicKey
	ID       string
	Session  string   // its name
	Targets  []string // as typed
	Priority string
}

// Taken is what others hear of a message that came from another member for somebody
// here: never its text.
type Taken struct {
	Mesh     ident.MeshID
	Member   ident.PublicKey
	ID       string
	Session  string // its name
	Priority string
}

// Crowd is what messages must know of groups. A target is "*", "@all" or a group
// as in "@a/b", without the name of a mesh. It is never called inside a transaction
// of the store.
type Crowd interface {
	// Audience lists the members that a target means, the own one included. It fails
	// with op.NotFound, saying which groups there are, if nobody is meant.
	Audience(mesh ident.MeshID, target string) ([]ident.PublicKey, error)
	// Matching lists the keys of this node's open, visible sessions that a target
	// means, the asking one included. member: none is open, but the member is meant.
	Matching(mesh ident.MeshID, target string) (open []ident.PublicKey, member bool)
}

// Air tells all members connected now.
type Air interface {
	// Cry hands a message to many to everybody who can hear it now, sealed for the
	// mesh. It may be lost: whoever did not receipt it gets it by Mail. The other
	// side hands what it heard to [Feature.Hear].
	Cry(ctx context.Context, mesh ident.MeshID, raw []byte) error
	// Reaches tells whether the homes of all these members hear this node with nobody in
	// between, as far as it knows.
	Reaches(mesh ident.MeshID, members []ident.PublicKey) bool
}

// Address is whom a target means.
type Address struct {
	Key       ident.PublicKey // of the session or the member
	IsSession bool
	Member    ident.PublicKey // whose home has it
	Name      string
	Online    bool
}

// Trust is what messages must know of membership and keys. It is never called
// inside a transaction of the store.
type Trust interface {
	// Member tells the name of a current member.
	Member(mesh ident.MeshID, key ident.PublicKey) (name string, ok bool)
	// Judge tells whether a message may come from whom it claims, and under which name
	// that session is known. ErrLater and ErrBlocked have their own meaning; any other
	// error means never.
	Judge(mesh ident.MeshID, c Claim) (name string, err error)
	// Sign signs with this node's member key of the mesh.
	Sign(mesh ident.MeshID, kind ident.Kind, body []byte) (ident.Statement, error)
	// Self is that key.
	Self(mesh ident.MeshID) ident.PublicKey
}

// Claim is what a message says of where it comes from: it holds if somebody is a member
// now, and an attestation vouched for a session of theirs when the message was created,
// with the right to send what it sends.
type Claim struct {
	Member, Session ident.PublicKey
	Attest          []byte
	Created         time.Time
	// Direct: it names somebody here. Many: it is for a group. One may be both.
	Direct, Many bool
}

// Mail carries letters.
type Mail interface {
	// Send hands letters to the stream to a member's home, in order. It fails
	// with ErrUnreachable when the home cannot be reached now. Letters handed
	// over may be lost all the same, until a receipt shows otherwise.
	Send(ctx context.Context, mesh ident.MeshID, to ident.PublicKey, letters [][]byte) error
	// SendReceipt hands over a receipt by itself, which the other side takes with
	// [Feature.Told] and does not answer. It fails like Send.
	SendReceipt(ctx context.Context, mesh ident.MeshID, to ident.PublicKey, receipt []byte) error
}
