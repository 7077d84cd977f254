package hostile

import (
	"context"
	"crypto/rand"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	p2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// protocols are all that a node shows to a stranger.
var protocols = []protocol.ID{
	"/claudemesh/hello/1", "/claudemesh/mesh/1", "/claudemesh/join/1",
	"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0",
}

// crowd is many strangers, each with a key of its own, that flood one node.
type crowd struct {
	target  peer.AddrInfo
	written atomic.Int64 // malformed frames that left here
	held    atomic.Int64 // those among them whose stream was left half open
	refused atomic.Int64 // streams and connections that the node did not take
	hosts   []p2phost.Host
}

func newCrowd(t *testing.T, target peer.AddrInfo, size int) *crowd {
	t.Helper()
	c := &crowd{target: target}
	for range size {
		h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{}))
		nodetest.Must(t, err)
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
		c.hosts = append(c.hosts, h)
	}
	return c
}

// frames writes n malformed frames on all protocols, each on a stream of its own.
func (c *crowd) frames(ctx context.Context, n int64) {
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(n)
	for i, h := range c.hosts {
		wg.Go(func() {
			for turn := i; ctx.Err() == nil && left.Add(-1) >= 0; turn++ {
				if !c.frame(ctx, h, protocols[turn%len(protocols)], turn) {
					left.Add(1)
				}
			}
		})
	}
	wg.Wait()
}

// frame writes one; false: there was no stream for it.
func (c *crowd) frame(ctx context.Context, h p2phost.Host, proto protocol.ID, turn int) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := h.Connect(ctx, c.target); err != nil {
		c.refused.Add(1)
		return false
	}
	conns := h.Network().ConnsToPeer(c.target.ID)
	if len(conns) == 0 {
		return false
	}
	s, err := conns[0].NewStream(ctx)
	if err != nil {
		c.refused.Add(1)
		return false
	}
	// What a stream is for comes first; the frame goes right behind, whatever is answered.
	_ = s.SetDeadline(time.Now().Add(5 * time.Second)) // of an open stream
	choice := append(delimited("/multistream/1.0.0\n"), delimited(string(proto)+"\n")...)
	_, err = s.Write(append(choice, malformed(turn)...))
	if err != nil {
		_ = s.Reset()
		c.refused.Add(1)
		return false
	}
	c.written.Add(1)
	if turn%64 == 0 {
		c.held.Add(1) // left as it is, until its connection ends
		return true
	}
	_ = s.Reset()
	return true
}

func delimited(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// malformed is one of the kinds of frames that no reader may take.
func malformed(turn int) []byte {
	junk := make([]byte, 200)
	_, _ = rand.Read(junk) // never fails
	switch turn % 7 {
	case 0:
		return []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // 4 GiB
	case 1:
		return wire.AppendFrame(nil, make([]byte, 9<<10)) // over every limit of a stranger
	case 2:
		return wire.AppendFrame(nil, junk)
	case 3:
		return []byte{0x80, 0x00} // a length that is not in its shortest form
	case 4:
		return junk[:1+turn%len(junk)]
	case 5:
		return wire.AppendFrame(nil, junk)[:100] // ends in its middle
	default:
		good := wire.AppendFrame(nil, wire.Hello{Nonce: wire.Nonce(junk[:32])}.Marshal())
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(good))))
		if err == nil {
			good[n.Int64()] ^= 1 << (turn % 8)
		}
		return good
	}
}

// connections opens n connections to a TCP address that say nothing or garbage, and as
// many packets of garbage to the UDP port of the same number. They end with ctx.
func (c *crowd) connections(ctx context.Context, port string, n int) (held int) {
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			_ = conn.Close() // nothing depends on it
		}
	}()
	dial := net.Dialer{Timeout: time.Second}
	udp, err := dial.DialContext(ctx, "udp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return 0
	}
	open = append(open, udp)
	for i := range n {
		_, _ = udp.Write(append([]byte{0xc0, 0, 0, 0, 1, 8}, malformed(i)...)) // as if it were QUIC
		conn, err := dial.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			c.refused.Add(1)
			continue
		}
		open = append(open, conn)
		if i%2 == 0 {
			_, _ = conn.Write(malformed(i))
		}
	}
	<-ctx.Done()
	return len(open) - 1
}
