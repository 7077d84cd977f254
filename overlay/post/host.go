package post

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Register makes h hand the streams that proven peers open to p.
func (p *Post) Register(h *host.Host) {
	h.Handle(Proto, maxInbound, func(ctx context.Context, s *host.Stream) { p.Serve(ctx, peerOf(s), s) })
}

// OverHost opens streams on h. home says which peer is the home of a member of
// a mesh, as far as it is connected and proven.
func OverHost(h *host.Host, home func(mesh ident.MeshID, member ident.PublicKey) (peer.ID, bool)) Streams {
	return hostStreams{h, home}
}

type hostStreams struct {
	host *host.Host
	home func(ident.MeshID, ident.PublicKey) (peer.ID, bool)
}

func (s hostStreams) Open(ctx context.Context, mesh ident.MeshID, to ident.PublicKey) (Stream, Peer, error) {
	id, ok := s.home(mesh, to)
	if !ok {
		return nil, Peer{}, host.ErrOffline
	}
	stream, err := s.host.Open(ctx, mesh, id, Proto)
	if err != nil {
		return nil, Peer{}, err
	}
	return stream, peerOf(stream), nil
}

func peerOf(s *host.Stream) Peer {
	p := Peer{Mesh: s.Peer.Mesh, Member: s.Peer.Key, ProofI: s.Peer.ProofID, ProofR: s.Peer.OwnProofID}
	if s.Peer.Initiator {
		p.ProofI, p.ProofR = p.ProofR, p.ProofI
	}
	return p
}
