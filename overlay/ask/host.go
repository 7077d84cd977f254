package ask

import (
	"context"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// maxInbound is how many requests of one peer in one mesh are answered at once.
const maxInbound = 64

// Register makes h hand the requests of proven peers to a.
func (a *Asker) Register(h *host.Host) {
	h.Handle(Proto, maxInbound, func(ctx context.Context, s *host.Stream) { a.Serve(ctx, peerOf(s), s) })
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

func peerOf(s *host.Stream) Peer { return Peer{Mesh: s.Peer.Mesh, Member: s.Peer.Key} }
