package host

import (
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
