package host

import (
	"cmp"
	"context"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	p2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// agent is all that identify tells about the software.
const agent = "claudemesh"

// lanQUICDelay is how long QUIC waits for TCP on a local network, where TCP with Noise is faster.
const lanQUICDelay = 30 * time.Millisecond

func anyInterface() []ma.Multiaddr {
	return []ma.Multiaddr{
		ma.StringCast("/ip4/0.0.0.0/tcp/0"), ma.StringCast("/ip6/::/tcp/0"),
		ma.StringCast("/ip4/0.0.0.0/udp/0/quic-v1"), ma.StringCast("/ip6/::/udp/0/quic-v1"),
	}
}

func loopbackOnly(addrs []ma.Multiaddr) bool {
	for _, a := range addrs {
		if !manet.IsIPLoopback(a) {
			return false
		}
	}
	return true
}

// build makes the libp2p host: TCP with Noise and Yamux, QUIC v1, no relay, no hole punching, no DHT,
// nothing listening yet.
func (h *Host) build() (p2phost.Host, error) {
	cm, err := connmgr.NewConnManager(h.cfg.Limits.ConnsLow, h.cfg.Limits.ConnsHigh,
		connmgr.WithGracePeriod(time.Minute))
	if err != nil {
		return nil, err
	}
	rm, err := resources(h.cfg.Limits)
	if err != nil {
		cm.Close()
		return nil, err
	}
	opts := []libp2p.Option{
		libp2p.Identity(h.cfg.Key),
		// Without reusing the listening port for dials: with it two nodes of one network that dial each
		// other at the same moment meet in one TCP connection that both think they opened, and both
		// dials fail.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(cm),
		libp2p.ConnectionGater(gate{h}),
		libp2p.AddrsFactory(h.announce),
		libp2p.DialRanker(rank),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.UserAgent(agent),
		libp2p.ProtocolVersion(agent),
	}
	if speaksQUIC(h.cfg.Listen) {
		opts = append(opts, libp2p.Transport(quic.NewTransport))
	}
	switch {
	case h.loopback:
		opts = append(opts, libp2p.DisableIdentifyAddressDiscovery())
	case h.cfg.PortMap:
		opts = append(opts, libp2p.NATPortMap())
	}
	return libp2p.New(opts...)
}

func speaksQUIC(addrs []ma.Multiaddr) bool {
	for _, a := range addrs {
		if isQUIC(a) {
			return true
		}
	}
	return false
}

func isQUIC(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_QUIC_V1)
	return err == nil
}

// announce chooses which of our addresses others are told: loopback ones only when there are no
// others.
func (h *Host) announce(addrs []ma.Multiaddr) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range addrs {
		if manet.IsIPLoopback(a) == h.loopback {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return addrs
	}
	return out
}

// rank orders dials: on a local network TCP first and QUIC a moment later, elsewhere libp2p's order.
func rank(addrs []ma.Multiaddr) []network.AddrDelay {
	var out []network.AddrDelay
	var others []ma.Multiaddr
	var delay time.Duration
	for _, a := range addrs {
		if isLocal(a) && !isQUIC(a) {
			out = append(out, network.AddrDelay{Addr: a})
			delay = lanQUICDelay
		}
	}
	for _, a := range addrs {
		switch {
		case !isLocal(a):
			others = append(others, a)
		case isQUIC(a):
			out = append(out, network.AddrDelay{Addr: a, Delay: delay})
		}
	}
	return append(out, swarm.DefaultDialRanker(others)...)
}

// isLocal: a loopback, private or link-local address, not through a relay.
func isLocal(a ma.Multiaddr) bool {
	return manet.IsPrivateAddr(a) && !isRelayed(a)
}

func isRelayed(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// dial returns at once if there is a connection. libp2p dials every address it knows of the peer, by
// rank, and takes the first that works; its own back-off is put aside, ours is in package find.
func (h *Host) dial(ctx context.Context, info peer.AddrInfo) error {
	h.inner.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	if s, ok := h.inner.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(info.ID)
	}
	_, err := h.inner.Network().DialPeer(ctx, info.ID)
	return err
}

// gate decides which connections come about.
type gate struct{ h *Host }

func (g gate) allowed(p peer.ID) bool { return g.h.cfg.Allow == nil || g.h.cfg.Allow(p) }

func (g gate) InterceptPeerDial(p peer.ID) bool { return g.allowed(p) }

func (g gate) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool {
	return !g.h.loopback || manet.IsIPLoopback(a)
}

func (g gate) InterceptAccept(a network.ConnMultiaddrs) bool {
	return !g.h.loopback || manet.IsIPLoopback(a.RemoteMultiaddr())
}

func (g gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return g.allowed(p)
}

func (g gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func compare(a, b peer.ID) int { return cmp.Compare(string(a), string(b)) }
