package host

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Meshes is what the host must know of the meshes of this node.
type Meshes interface {
	// List returns the meshes this node can prove membership in. The host offers the first 64 in one
	// handshake. It is called for each handshake, must not block and must not call the host.
	List() []Mesh
}

// Mesh is one mesh of this node, as far as the handshake goes. Its methods are called concurrently.
// It has eight methods because a handshake has as many questions, and all are about one log.
// Implementations are pointers: the host compares them to learn that a mesh was left and joined anew.
type Mesh interface {
	// ID is the mesh's id.
	ID() ident.MeshID

	// TagKey is the key of handshake tags, known to every member.
	TagKey() [32]byte

	// Prove returns this member's proof for t, with its binding, at most wire.MaxProof bytes, and the
	// id of the proof statement.
	Prove(t Transcript) (proof []byte, id ident.ID, err error)

	// Check verifies a peer's proof for t. It fills Key, Member, NeedSync, Bind and ProofID; the host
	// fills the rest. An error means that the proof is none: the mesh stays closed to the peer on
	// this connection. A good proof of somebody who is no member (yet) by this node's log is no
	// error: Member is false then, and Sync runs.
	Check(t Transcript, proof []byte) (Peer, error)

	// Sync exchanges admin logs over s, which runs the inner protocol "log/1" and has a deadline. It
	// runs before the peer is let in when one side asks for it, and again whenever Host.Sync or the
	// peer asks. opener says who opened the stream. When the peer was removed, Sync is where it gets
	// its remove entry and nothing else. The caller closes s.
	Sync(ctx context.Context, s *Stream, opener bool, p Peer) error

	// Member looks p up again, after Sync and whenever memberships may have changed: it returns p with
	// what the log now says of p.Key, and whether that is a member.
	Member(p Peer) (Peer, bool)

	// Proved says that p's streams of this mesh are open as soon as it returns, Lost that they are
	// closed and that no connection is left on which p is proved; at shutdown Lost is not called. They come in order, Lost only after Proved,
	// once per peer however many connections there are, from one goroutine of the host: they must
	// return soon and may not wait for anything of the host.
	Proved(p Peer)
	Lost(p Peer)
}

// Transcript is what a proof must cover: it binds the proof to one handshake on one connection.
type Transcript struct {
	Dir   byte // who proves: 'i' the initiator, 'r' the responder
	I, R  wire.Nonce
	PeerI peer.ID // the initiator's libp2p id, proved by the connection
	PeerR peer.ID // the responder's
}

// Peer is one end of one proved connection in one mesh.
type Peer struct {
	Mesh ident.MeshID    // set by the host
	Peer peer.ID         // set by the host
	Key  ident.PublicKey // the member's key

	Member   bool // a member by this node's log
	NeedSync bool // the peer's log heads differ from ours

	Bind       []byte   // the peer's binding statement, as it came
	ProofID    ident.ID // the id of the peer's proof
	OwnProofID ident.ID // the id of our proof in the same handshake; set by the host
	Initiator  bool     // we began that handshake; set by the host
}
