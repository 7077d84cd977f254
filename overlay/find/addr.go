package find

import (
	"net"
	"net/netip"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// MaxAddrs is how many addresses of one peer are kept, the newest.
const MaxAddrs = 32

// Near keeps the addresses that can be those of a neighbour on the local network: in one of own, the
// subnets of this machine, and neither loopback, nor link-local IPv6 (which names no interface), nor
// through a relay.
func Near(addrs []ma.Multiaddr, own []netip.Prefix) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range addrs {
		ip, ok := ipOf(a)
		if !ok || ip.IsLoopback() || ip.Is6() && ip.IsLinkLocalUnicast() {
			continue
		}
		for _, p := range own {
			if p.Contains(ip) {
				out = append(out, a)
				break
			}
		}
	}
	return out
}

// dialable drops what no dial can reach: unspecified addresses and ports, and loopback ones if there
// are others.
func dialable(addrs []ma.Multiaddr) []ma.Multiaddr {
	var far, loopback []ma.Multiaddr
	for _, a := range addrs {
		ip, ok := ipOf(a)
		switch {
		case ok && ip.IsUnspecified() || noPort(a):
		case ok && ip.IsLoopback():
			loopback = append(loopback, a)
		default:
			far = append(far, a)
		}
	}
	if len(far) == 0 {
		return loopback
	}
	return far
}

// ipOf is the address a dial of a would go to; not ok for names and relays.
func ipOf(a ma.Multiaddr) (netip.Addr, bool) {
	if a == nil {
		return netip.Addr{}, false
	}
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return netip.Addr{}, false
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(ip)
	return addr.Unmap(), ok
}

func noPort(a ma.Multiaddr) bool {
	if a == nil {
		return true
	}
	for _, p := range []int{ma.P_TCP, ma.P_UDP} {
		if v, err := a.ValueForProtocol(p); err == nil && v == "0" {
			return true
		}
	}
	return false
}

// Subnets returns the subnets this machine is in, without loopback.
func Subnets() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		bits, _ := n.Mask.Size()
		if ip = ip.Unmap(); !ok || ip.IsLoopback() {
			continue
		}
		if p, err := ip.Prefix(min(bits, ip.BitLen())); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// merge puts fresh before old, without doubles, at most MaxAddrs, and says whether any is new.
func merge(old, fresh []ma.Multiaddr) (all []ma.Multiaddr, news bool) {
	has := func(in []ma.Multiaddr, a ma.Multiaddr) bool {
		for _, b := range in {
			if a.Equal(b) {
				return true
			}
		}
		return false
	}
	for _, a := range fresh {
		if !has(all, a) {
			all = append(all, a)
			news = news || !has(old, a)
		}
	}
	for _, a := range old {
		if !has(all, a) {
			all = append(all, a)
		}
	}
	return all[:min(len(all), MaxAddrs)], news
}
