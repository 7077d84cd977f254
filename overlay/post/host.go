package post

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// maxBind is the largest binding that is looked at.
const maxBind = 8 << 10

// Register makes h hand the streams that proven peers open to p.
func (p *Post) Register(h *host.Host) {
	h.Handle(Proto, maxInbound, func(ctx context.Context, s *host.Stream) { p.Serve(ctx, peerOf(s), s) })
}

// Homes finds the home of a member among the peers that are connected to h and
// have proved to be that member: the one with the newest binding.
func Homes(h *host.Host) func(mesh ident.MeshID, member ident.PublicKey) (peer.ID, bool) {
	return func(mesh ident.MeshID, member ident.PublicKey) (peer.ID, bool) {
		var best host.Peer
		for _, p := range h.Peers(mesh) {
			if p.Key == member && (best.Peer == "" || bindOf(p).Newer(bindOf(best))) {
				best = p
			}
		}
		return best.Peer, best.Peer != ""
	}
}

// bindOf reads the binding that came with p's proof, which its mesh has
// verified; one that it let pass unread counts as the oldest.
func bindOf(p host.Peer) trust.Bind {
	st, err := ident.ParseStatement(p.Bind, maxBind)
	if err != nil {
		return trust.Bind{}
	}
	b, err := trust.DecodeBind(st.Body)
	if err != nil {
		return trust.Bind{}
	}
	return b
}

// OverHost opens streams on h. home says which peer is the home of a member of
// a mesh, as far as it is connected and proven, such as Homes.
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
