package ask

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// maxInbound is how many requests of one peer in one mesh are answered at once.
const maxInbound = 64

// Register makes h hand the requests of proven peers to a.
func (a *Asker) Register(h *host.Host) {
	h.Handle(Proto, maxInbound, func(ctx context.Context, s *host.Stream) { a.Serve(ctx, peerOf(s), s) })
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

func peerOf(s *host.Stream) Peer { return Peer{Mesh: s.Peer.Mesh, Member: s.Peer.Key} }
