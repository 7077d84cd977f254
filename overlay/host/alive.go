package host

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/claudemesh/claudemesh/overlay/host/p2p"
)

// A connection that died without a word, because a machine slept, a cable was pulled or an address
// went away, looks like one on which nothing is said. It is found out by pinging: every connection now
// and then, and in doubt at once.

// pings pings every proved connection now and then.
func (h *Host) pings() {
	t := time.NewTicker(h.cfg.PingEvery)
	defer t.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-t.C:
			h.check(h.proved(), min(pingTimeout, h.cfg.PingEvery))
		}
	}
}

// check closes the connections that answer neither of two pings. It returns when all have answered or
// failed: two timeouts at most.
func (h *Host) check(conns []*conn, timeout time.Duration) {
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			err := h.ping(c, timeout)
			if err != nil {
				err = h.ping(c, timeout) // one answer may get lost
			}
			if err != nil && h.ctx.Err() == nil {
				h.log.Info("connection is dead", "peer", c.remoteOf())
				c.raw.Close()
			}
		})
	}
	wg.Wait()
}

// watchMachine looks whether this machine has other addresses than a moment ago, or was asleep. libp2p
// looks at the addresses too, but once a minute.
func (h *Host) watchMachine() {
	t := time.NewTicker(machineEvery)
	defer t.Stop()
	was, err := ownAddrs()
	looked := time.Now()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-t.C:
		}
		now, failed := ownAddrs()
		moved := err == nil && failed == nil && !maps.Equal(was, now) && !h.loopback
		at := time.Now()
		slept := asleep(looked, at)
		if slept {
			h.log.Info("this machine was asleep, or its clock was set", "for", at.Round(0).Sub(looked.Round(0)).Round(time.Second))
		}
		if moved || slept {
			h.networkChanged()
		}
		was, err, looked = now, failed, at
	}
}

// asleep reports whether this process stood still between two looks at the machine. The wall clock
// tells: the monotonic one stands still with a machine that sleeps, on most systems. A clock that was
// set looks the same, which costs a ping of each connection.
func asleep(looked, now time.Time) bool { return now.Round(0).Sub(looked.Round(0)) > pauseLeast }

// networkChanged tells whoever waits for it that our own addresses are others, or may be after a sleep,
// and looks after the connections.
func (h *Host) networkChanged() {
	h.mu.Lock()
	close(h.netmoved)
	h.netmoved = make(chan struct{})
	h.mu.Unlock()
	h.spawn(h.moved)
}

// moved looks after the connections when our own addresses have changed, or this machine was asleep:
// those from an address we have no more are closed, the others are in doubt.
func (h *Host) moved() {
	own, err := ownAddrs()
	if err != nil {
		h.log.Warn("own addresses cannot be read", "error", err)
	}
	var rest []*conn
	for _, c := range h.proved() {
		if from, ok := localAddr(c.raw); ok && err == nil && !own[from] {
			h.log.Info("connection ends with its address", "peer", c.remoteOf(), "addr", from)
			c.raw.Close()
			continue
		}
		rest = append(rest, c)
	}
	h.check(rest, doubtTimeout)
}

// rival is called when l has become one of several links to its peer: a peer that connects anew may
// have lost the connections it had without our noticing.
func (h *Host) rival(l *link) {
	h.mu.Lock()
	var old []*conn
	for _, c := range h.to[l.peer.Peer] {
		if c != l.conn && len(c.links) > 0 {
			old = append(old, c)
		}
	}
	h.mu.Unlock()
	if len(old) > 0 {
		h.spawn(func() { h.check(old, doubtTimeout) })
	}
}

// ownAddrs are the addresses of this machine's interfaces, without those that come and go with an
// interface alone.
func ownAddrs() (map[netip.Addr]bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	own := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && !ip.IsLinkLocalUnicast() {
				own[ip.Unmap()] = true
			}
		}
	}
	return own, nil
}

// localAddr is the address of this machine that a connection is from; not ok where it names none, as
// QUIC's may, or one that ownAddrs leaves out.
func localAddr(c network.Conn) (netip.Addr, bool) {
	ip, err := manet.ToIP(c.LocalMultiaddr())
	if err != nil {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(ip)
	return addr.Unmap(), ok && !addr.IsUnspecified() && !addr.IsLinkLocalUnicast()
}

// proved are the connections on which some mesh was proved.
func (h *Host) proved() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*conn
	for _, c := range h.conns {
		if len(c.links) > 0 {
			out = append(out, c)
		}
	}
	return out
}

func (h *Host) ping(c *conn, timeout time.Duration) error {
	d, err := p2p.Ping(h.ctx, c.raw, timeout)
	if err == nil {
		h.measured(c, d)
	}
	return err
}
