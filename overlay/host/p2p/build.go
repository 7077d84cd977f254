package p2p

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
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

const dialTimeout = 10 * time.Second

// Config is what a libp2p host is built from.
type Config struct {
	Key     crypto.PrivKey
	Listen  []ma.Multiaddr       // not listened on yet; decides transports and whether we keep to loopback
	PortMap bool                 // ask the router for a port
	Allow   func(p peer.ID) bool // which peers may be connected; nil: all

	ConnsLow, ConnsHigh int // when idle connections are closed
	ConnsPerAddress     int // from one remote address; loopback is free
	Streams             map[protocol.ID]StreamLimit
}

// AnyInterface listens on every interface, TCP and QUIC, a free port each.
func AnyInterface() []ma.Multiaddr {
	return []ma.Multiaddr{
		ma.StringCast("/ip4/0.0.0.0/tcp/0"), ma.StringCast("/ip6/::/tcp/0"),
		ma.StringCast("/ip4/0.0.0.0/udp/0/quic-v1"), ma.StringCast("/ip6/::/udp/0/quic-v1"),
	}
}

// LoopbackOnly reports whether all of addrs are loopback addresses.
func LoopbackOnly(addrs []ma.Multiaddr) bool {
	for _, a := range addrs {
		if !manet.IsIPLoopback(a) {
			return false
		}
	}
	return true
}

// New makes a libp2p host: TCP with Noise and Yamux, QUIC v1, no relay, no hole punching, no DHT,
// nothing listening yet. If all of Listen is loopback it dials, accepts and tells nothing else.
func New(c Config) (host.Host, error) {
	cm, err := connmgr.NewConnManager(c.ConnsLow, c.ConnsHigh, connmgr.WithGracePeriod(time.Minute))
	if err != nil {
		return nil, err
	}
	rm, err := resources(c)
	if err != nil {
		cm.Close()
		return nil, err
	}
	loopback := LoopbackOnly(c.Listen)
	opts := []libp2p.Option{
		libp2p.Identity(c.Key),
		// Without reusing the listening port for dials: with it two nodes of one network that dial each
		// other at the same moment meet in one TCP connection that both think they opened, and both
		// dials fail.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(cm),
		libp2p.ConnectionGater(gate{loopback, c.Allow}),
		libp2p.AddrsFactory(func(addrs []ma.Multiaddr) []ma.Multiaddr { return announce(loopback, addrs) }),
		libp2p.SwarmOpts(swarm.WithDialRanker(rank)),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.UserAgent(agent),
		libp2p.ProtocolVersion(agent),
	}
	if speaksQUIC(c.Listen) {
		opts = append(opts, libp2p.Transport(quic.NewTransport))
	}
	switch {
	case loopback:
		opts = append(opts, libp2p.DisableIdentifyAddressDiscovery())
	case c.PortMap:
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
func announce(loopback bool, addrs []ma.Multiaddr) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range addrs {
		if manet.IsIPLoopback(a) == loopback {
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
		if IsLocal(a) && !isQUIC(a) {
			out = append(out, network.AddrDelay{Addr: a})
			delay = lanQUICDelay
		}
	}
	for _, a := range addrs {
		switch {
		case !IsLocal(a):
			others = append(others, a)
		case isQUIC(a):
			out = append(out, network.AddrDelay{Addr: a, Delay: delay})
		}
	}
	return append(out, swarm.DefaultDialRanker(others)...)
}

// IsLocal: a loopback, private or link-local address, not through a relay.
func IsLocal(a ma.Multiaddr) bool {
	return manet.IsPrivateAddr(a) && !IsRelayed(a)
}

// IsRelayed: a goes through a relay.
func IsRelayed(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// Dial returns at once if there is a connection. libp2p dials every address it knows of the peer, by
// rank, and takes the first that works; its own back-off is put aside.
func Dial(ctx context.Context, h host.Host, info peer.AddrInfo) error {
	h.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	if s, ok := h.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(info.ID)
	}
	_, err := h.Network().DialPeer(ctx, info.ID)
	return err
}

// Identified waits until p has told what it is and where it listens, on any connection that there is
// now, or ctx ends. Without it a peer that dialled us may have no address yet.
func Identified(ctx context.Context, h host.Host, p peer.ID) {
	service, ok := h.(interface{ IDService() identify.IDService })
	if !ok {
		return
	}
	for _, c := range h.Network().ConnsToPeer(p) {
		select {
		case <-service.IDService().IdentifyWait(c):
		case <-ctx.Done():
		}
	}
}

// gate decides which connections come about.
type gate struct {
	loopback bool
	allow    func(peer.ID) bool
}

func (g gate) allowed(p peer.ID) bool { return g.allow == nil || g.allow(p) }

func (g gate) InterceptPeerDial(p peer.ID) bool { return g.allowed(p) }

func (g gate) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool {
	return !g.loopback || manet.IsIPLoopback(a)
}

func (g gate) InterceptAccept(a network.ConnMultiaddrs) bool {
	return !g.loopback || manet.IsIPLoopback(a.RemoteMultiaddr())
}

func (g gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return g.allowed(p)
}

func (g gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
