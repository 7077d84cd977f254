package find

import (
	"errors"
	"io"

	p2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// service is the one name everybody announces. It says nothing about meshes.
const service = "_claudemesh._udp"

// errNoLAN: there is nothing to announce on.
var errNoLAN = errors.New("find: no address on a local network")

// LAN starts looking for peers on the local network, and announcing this node there, until it is
// closed. found is called from any goroutine.
type LAN func(found func(peer.AddrInfo)) (io.Closer, error)

// MDNS is the LAN of a libp2p host: multicast DNS, as libp2p does it, without loopback addresses.
func MDNS(h p2phost.Host) LAN {
	return func(found func(peer.AddrInfo)) (io.Closer, error) {
		addrs, err := lanNetwork{h.Network()}.InterfaceListenAddresses()
		if err != nil {
			return nil, err
		}
		if len(addrs) == 0 {
			return nil, errNoLAN
		}
		s := mdns.NewMdnsService(lanHost{h}, service, foundFunc(found))
		if err := s.Start(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return s, nil
	}
}

type foundFunc func(peer.AddrInfo)

// HandlePeerFound implements mdns.Notifee.
func (f foundFunc) HandlePeerFound(info peer.AddrInfo) { f(info) }

// lanHost shows mDNS our addresses as they are now, without the loopback ones: libp2p remembers for a
// minute which the interfaces have.
type lanHost struct{ p2phost.Host }

func (h lanHost) Network() network.Network { return lanNetwork{h.Host.Network()} }

type lanNetwork struct{ network.Network }

func (n lanNetwork) InterfaceListenAddresses() ([]ma.Multiaddr, error) {
	all, err := manet.ResolveUnspecifiedAddresses(n.Network.ListenAddresses(), nil)
	var out []ma.Multiaddr
	for _, a := range all {
		if !manet.IsIPLoopback(a) {
			out = append(out, a)
		}
	}
	return out, err
}
