package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/multiformats/go-multiaddr"
)

// Addrs turns an address as people write it into multiaddrs to listen on. It takes
// a multiaddr as it is, and makes of IP:PORT (also localhost:PORT, and :PORT for
// all interfaces) one for TCP and one for QUIC.
func Addrs(s string) ([]string, error) {
	if strings.HasPrefix(s, "/") {
		if _, err := multiaddr.NewMultiaddr(s); err != nil {
			return nil, fmt.Errorf("%q is no address to listen on: %w", s, err)
		}
		return []string{s}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return nil, fmt.Errorf("%q is neither IP:PORT nor a multiaddr", s)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, fmt.Errorf("%q: %q is no port", s, port)
	}
	ips, err := hosts(host)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", s, err)
	}
	var out []string
	for _, ip := range ips {
		out = append(out, ip+"/tcp/"+port, ip+"/udp/"+port+"/quic-v1")
	}
	return out, nil
}

// hosts returns the multiaddr beginnings for one host part.
func hosts(host string) ([]string, error) {
	switch host {
	case "", "*":
		return []string{"/ip4/0.0.0.0", "/ip6/::"}, nil
	case "localhost":
		return []string{"/ip4/127.0.0.1"}, nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no IP address", host)
	case ip.Zone() != "":
		return nil, errors.New("an address with a zone cannot be listened on")
	case ip.Unmap().Is4():
		return []string{"/ip4/" + ip.Unmap().String()}, nil
	default:
		return []string{"/ip6/" + ip.String()}, nil
	}
}
