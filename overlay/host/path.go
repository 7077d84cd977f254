package host

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/overlay/host/p2p"
)

// Kind is how a peer is reached, the best first.
type Kind int

// Kinds of paths.
const (
	Local   Kind = iota // the same machine or network
	Direct              // over the internet, without help
	Relayed             // through a relay
)

// String is the word people see.
func (k Kind) String() string {
	switch k {
	case Local:
		return "local"
	case Direct:
		return "direct"
	default:
		return "relayed"
	}
}

// Path is how a peer is reached now.
type Path struct {
	Kind Kind
	RTT  time.Duration // 0: not measured yet
	Addr ma.Multiaddr  // the peer's end of the connection
}

// Path returns the best path to p, false when it is not connected.
func (h *Host) Path(p peer.ID) (Path, bool) {
	c := h.connTo(p)
	if c == nil {
		return Path{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return Path{Kind: kindOf(c.raw), RTT: c.rtt, Addr: c.raw.RemoteMultiaddr()}, true
}

func kindOf(c network.Conn) Kind {
	a := c.RemoteMultiaddr()
	switch {
	case p2p.IsRelayed(a) || c.Stat().Limited:
		return Relayed
	case p2p.IsLocal(a):
		return Local
	default:
		return Direct
	}
}

// measured enters a round trip; a quick one counts at once, slow ones by and by.
func (h *Host) measured(c *conn, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.rtt == 0 || d < c.rtt {
		c.rtt = d
		return
	}
	c.rtt += (d - c.rtt) / 4
}

// pings pings every proved connection and closes those that do not answer.
func (h *Host) pings() {
	t := time.NewTicker(h.cfg.PingEvery)
	defer t.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-t.C:
			h.pingAll()
		}
	}
}

// pingAll returns when all have answered or failed: two time limits at most.
func (h *Host) pingAll() {
	var wg sync.WaitGroup
	for _, c := range h.proved() {
		wg.Go(func() {
			if h.ping(c) != nil && h.ping(c) != nil && h.ctx.Err() == nil {
				h.log.Info("connection is dead", "peer", c.remoteOf())
				c.raw.Close()
			}
		})
	}
	wg.Wait()
}

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

func (h *Host) ping(c *conn) error {
	d, err := p2p.Ping(h.ctx, c.raw, min(pingTimeout, h.cfg.PingEvery))
	if err == nil {
		h.measured(c, d)
	}
	return err
}
