package gossip

import (
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/overlay/host"
)

// conn stands for all connections to one proved peer. view.mu guards streams.
type conn struct {
	network.Conn // nil: a call nobody foresaw panics
	v            *view
	peer         host.Peer
	since        time.Time
	streams      map[*stream]struct{}
}

func (c *conn) LocalPeer() peer.ID  { return c.v.ID() }
func (c *conn) RemotePeer() peer.ID { return c.peer.Peer }

// RemoteMultiaddr is where the peer is now.
func (c *conn) RemoteMultiaddr() ma.Multiaddr {
	if p, ok := c.v.h.Path(c.peer.Peer); ok {
		return p.Addr
	}
	return ma.StringCast("/ip4/0.0.0.0")
}

// Stat tells the direction of the handshake: each pair has one side that sees it outbound.
func (c *conn) Stat() network.ConnStats {
	dir := network.DirInbound
	if c.peer.Initiator {
		dir = network.DirOutbound
	}
	return network.ConnStats{Stats: network.Stats{Direction: dir, Opened: c.since}}
}

func (c *conn) GetStreams() []network.Stream {
	c.v.mu.Lock()
	defer c.v.mu.Unlock()
	out := make([]network.Stream, 0, len(c.streams))
	for s := range c.streams {
		out = append(out, s)
	}
	return out
}

// outgoing needs view.mu: there is a stream we opened.
func (c *conn) outgoing() bool {
	for s := range c.streams {
		if s.dir == network.DirOutbound {
			return true
		}
	}
	return false
}

// stream is a mesh stream as pubsub wants it: its protocol is the inner one, its connection a view's.
type stream struct {
	*host.Stream
	c      *conn
	dir    network.Direction
	opened time.Time
}

var _ network.Stream = (*stream)(nil)

func (s *stream) ID() string                    { return strconv.FormatInt(s.opened.UnixNano(), 36) }
func (s *stream) Protocol() protocol.ID         { return protocol.ID(s.Proto) }
func (s *stream) SetProtocol(protocol.ID) error { return nil }
func (s *stream) Conn() network.Conn            { return s.c }
func (s *stream) Scope() network.StreamScope    { return &network.NullScope{} }
func (s *stream) CloseRead() error              { return s.Raw().CloseRead() }
func (s *stream) Stat() network.Stats           { return network.Stats{Direction: s.dir, Opened: s.opened} }

func (s *stream) Close() error {
	s.c.v.leave(s)
	return s.Stream.Close()
}

func (s *stream) Reset() error {
	s.c.v.leave(s)
	return s.Stream.Reset()
}

func (s *stream) ResetWithError(network.StreamErrorCode) error { return s.Reset() }
