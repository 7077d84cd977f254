package join

import (
	"context"
	"log/slog"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/join/code"
)

// Register makes h answer strangers' claims with a, and their codes with codes, which
// may be nil. It comes before h runs.
func Register(h *host.Host, a Admitter, codes *code.Book, log *slog.Logger) {
	d := door{admitter: a, codes: codes, self: h.ID()}
	h.HandleStranger(Proto, func(ctx context.Context, s *host.Stream) { d.answer(ctx, s.Peer.Peer, s, log) })
}

// OverHost reaches admitters by h.
func OverHost(h *host.Host) Dialer { return hostDialer{h} }

type hostDialer struct{ host *host.Host }

func (d hostDialer) Self() peer.ID { return d.host.ID() }

func (d hostDialer) Dial(ctx context.Context, to peer.AddrInfo) (Stream, error) {
	if err := d.host.Connect(ctx, to); err != nil {
		return nil, err
	}
	return d.host.OpenStranger(ctx, to.ID, Proto)
}
