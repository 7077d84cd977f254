package trust

import (
	"bytes"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// The directions of a handshake and of what follows it: from the side that
// opened the connection, or from the other.
const (
	DirInitiator byte = 'i'
	DirResponder byte = 'r'
)

// Transcript is what both sides of a connection know once the nonces are
// exchanged, seen from the side that proves.
type Transcript struct {
	// Dir is the side that proves: DirInitiator or DirResponder.
	Dir byte
	// I and R are the nonces of the initiator and the responder.
	I, R [32]byte
	// PeerI and PeerR are their libp2p peer ids, in binary form.
	PeerI, PeerR []byte
}

// Prover is the peer id of the side that proves.
func (t Transcript) Prover() []byte {
	if t.Dir == DirInitiator {
		return t.PeerI
	}
	return t.PeerR
}

func (t Transcript) equal(o Transcript) bool {
	return t.Dir == o.Dir && t.I == o.I && t.R == o.R &&
		bytes.Equal(t.PeerI, o.PeerI) && bytes.Equal(t.PeerR, o.PeerR)
}

// Proof proves membership on one connection.
type Proof struct {
	// Member is the signer.
	Member ident.PublicKey
	// On is the connection.
	On Transcript
	// Heads are the heads of the prover's admin log, ascending.
	Heads []ident.ID
	// Bind is the id of the prover's binding, whose peer is the prover.
	Bind ident.ID
}

const (
	tagProofMember = 1
	tagProofDir    = 2
	tagProofI      = 3
	tagProofR      = 4
	tagProofPeerI  = 5
	tagProofPeerR  = 6
	tagProofHeads  = 7
	tagProofBind   = 8
)

// Encode writes the signed body.
func (p Proof) Encode() []byte {
	var f ident.Fields
	f.Bytes(tagProofMember, p.Member[:])
	f.Bytes(tagProofDir, []byte{p.On.Dir})
	f.Bytes(tagProofI, p.On.I[:])
	f.Bytes(tagProofR, p.On.R[:])
	f.Bytes(tagProofPeerI, p.On.PeerI)
	f.Bytes(tagProofPeerR, p.On.PeerR)
	writeIDs(&f, tagProofHeads, p.Heads)
	f.Bytes(tagProofBind, p.Bind[:])
	return f.Body()
}

// DecodeProof reads what Encode writes.
func DecodeProof(body []byte) (Proof, error) {
	r, err := read(body, tagProofMember, tagProofDir, tagProofI, tagProofR,
		tagProofPeerI, tagProofPeerR, tagProofHeads, tagProofBind)
	if err != nil {
		return Proof{}, fmt.Errorf("proof: %w", err)
	}
	r.Need(tagProofMember, tagProofDir, tagProofI, tagProofR, tagProofPeerI, tagProofPeerR, tagProofBind)
	p := Proof{
		Member: r.Key(tagProofMember),
		On: Transcript{
			Dir:   readDir(r, tagProofDir),
			PeerI: r.Bytes(tagProofPeerI, maxPeer),
			PeerR: r.Bytes(tagProofPeerR, maxPeer),
		},
		Heads: readSortedIDs[ident.ID](r, tagProofHeads, MaxParents),
	}
	r.Fixed(tagProofI, p.On.I[:])
	r.Fixed(tagProofR, p.On.R[:])
	r.Fixed(tagProofBind, p.Bind[:])
	if err := r.done(); err != nil {
		return Proof{}, fmt.Errorf("proof: %w", err)
	}
	return p, nil
}

func readDir(r *reader, tag uint64) byte {
	var d [1]byte
	r.Fixed(tag, d[:])
	r.check(d[0] == DirInitiator || d[0] == DirResponder, "direction %d", d[0])
	return d[0]
}

// SignProof makes the proof of a member on a connection. bind is its binding.
func SignProof(mesh ident.MeshID, signer ident.PrivateKey, on Transcript, heads []ident.ID, bind ident.ID) ident.Statement {
	p := Proof{Member: signer.Public(), On: on, Heads: heads, Bind: bind}
	return ident.Sign(ident.KindProof, mesh, p.Encode(), signer)
}

// CheckProof verifies a proof and the binding that came with it: both are the
// same member's, the proof was made for this connection and direction, and the
// binding is valid at now and names the peer that proves. That the member is
// one is the admin log's to say. It fails with ErrProof, ErrExpired or
// ident.ErrSignature.
func CheckProof(mesh ident.MeshID, proof, bind ident.Statement, on Transcript, now time.Time) (Proof, Bind, error) {
	p, err := DecodeProof(proof.Body)
	if err != nil {
		return Proof{}, Bind{}, err
	}
	if !p.On.equal(on) || p.Bind != bind.ID() {
		return Proof{}, Bind{}, ErrProof
	}
	if err := proof.Verify(ident.KindProof, mesh, p.Member); err != nil {
		return Proof{}, Bind{}, err
	}
	b, err := CheckBind(mesh, bind)
	if err != nil {
		return Proof{}, Bind{}, err
	}
	if b.Member != p.Member || !bytes.Equal(b.Peer, on.Prover()) {
		return Proof{}, Bind{}, fmt.Errorf("%w: the binding is another's", ErrProof)
	}
	return p, b, b.Valid(now)
}

// Stream opens a sealed stream of letters on a proven connection.
type Stream struct {
	// Member is the signer.
	Member ident.PublicKey
	// ProofI and ProofR are the ids of the proofs of the connection's two sides.
	ProofI, ProofR ident.ID
	// Dir is the side that seals in this context.
	Dir byte
	// Enc is the encapsulated key of the HPKE context, seal.EncSize bytes.
	Enc []byte
}

const (
	tagStreamMember = 1
	tagStreamProofI = 2
	tagStreamProofR = 3
	tagStreamDir    = 4
	tagStreamEnc    = 5
)

// Encode writes the signed body.
func (s Stream) Encode() []byte {
	var f ident.Fields
	f.Bytes(tagStreamMember, s.Member[:])
	f.Bytes(tagStreamProofI, s.ProofI[:])
	f.Bytes(tagStreamProofR, s.ProofR[:])
	f.Bytes(tagStreamDir, []byte{s.Dir})
	f.Bytes(tagStreamEnc, s.Enc)
	return f.Body()
}

// DecodeStream reads what Encode writes.
func DecodeStream(body []byte) (Stream, error) {
	r, err := read(body, tagStreamMember, tagStreamProofI, tagStreamProofR, tagStreamDir, tagStreamEnc)
	if err != nil {
		return Stream{}, fmt.Errorf("stream: %w", err)
	}
	r.Need(tagStreamMember, tagStreamProofI, tagStreamProofR, tagStreamDir, tagStreamEnc)
	s := Stream{Member: r.Key(tagStreamMember), Dir: readDir(r, tagStreamDir), Enc: make([]byte, seal.EncSize)}
	r.Fixed(tagStreamProofI, s.ProofI[:])
	r.Fixed(tagStreamProofR, s.ProofR[:])
	r.Fixed(tagStreamEnc, s.Enc)
	if err := r.done(); err != nil {
		return Stream{}, fmt.Errorf("stream: %w", err)
	}
	return s, nil
}

// SignStream makes the statement; Member becomes the signer's key.
func SignStream(mesh ident.MeshID, signer ident.PrivateKey, s Stream) ident.Statement {
	s.Member = signer.Public()
	return ident.Sign(ident.KindStream, mesh, s.Encode(), signer)
}

// CheckStream decodes a stream statement, verifies its signature and that it
// was made for the connection with these two proofs and this direction. It
// fails with ErrProof or ident.ErrSignature.
func CheckStream(mesh ident.MeshID, stmt ident.Statement, proofI, proofR ident.ID, dir byte) (Stream, error) {
	s, err := DecodeStream(stmt.Body)
	if err != nil {
		return Stream{}, err
	}
	if s.ProofI != proofI || s.ProofR != proofR || s.Dir != dir {
		return Stream{}, fmt.Errorf("stream: %w", ErrProof)
	}
	return s, stmt.Verify(ident.KindStream, mesh, s.Member)
}
