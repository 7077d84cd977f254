package post

import (
	"context"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Register makes h hand the streams that proven peers open to p.
func (p *Post) Register(h *host.Host) {
	h.Handle(Proto, maxInbound, func(ctx context.Context, s *host.Stream) { p.Serve(ctx, peerOf(s), s) })
}

// OverHost opens streams on h to the homes of members.
func OverHost(h *host.Host, home host.Home) Streams { return hostStreams{h, home} }

type hostStreams struct {
	host *host.Host
	home host.Home
}

func (s hostStreams) Open(ctx context.Context, mesh ident.MeshID, to ident.PublicKey) (Stream, Peer, error) {
	stream, err := s.host.OpenHome(ctx, mesh, to, s.home, Proto)
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
