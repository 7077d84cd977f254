package host

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// conn is what the host knows of one libp2p connection. Host.mu guards all but raw and rate.
type conn struct {
	raw     network.Conn
	settled bool                  // the first handshake has ended and so has what followed from it
	busy    int                   // handshakes under way, either direction
	waiting int                   // mesh streams not yet handed over
	links   map[wire.Tag]*link    // by stream tag; live ones only
	absent  map[ident.MeshID]bool // meshes the other side did not offer
	rtt     time.Duration         // 0: not measured yet
	gone    chan struct{}         // closed with the connection

	greeting  bool      // a greeter runs
	regreeted time.Time // when a refused stream last made it run
	again     bool      // and is to go round once more
}

// state of a link, in order; it never goes back.
type state int

const (
	syncing state = iota // proofs are exchanged; logs are not, or it is not told yet
	ready                // a member on both sides' word; open as soon as Mesh.Proved has returned
	open                 // streams pass
	dead                 // closed, and no more in conn.links
)

// link is one mesh on one connection by one handshake. Host.mu guards state, peer, streams, synced.
type link struct {
	conn     *conn
	mesh     Mesh
	id       ident.MeshID
	tag      wire.Tag // of streams
	order    uint64   // a later link has a higher one
	state    state
	peer     Peer
	streams  map[*Stream]struct{}
	sync     bool          // the responder asked for the logs
	synced   chan struct{} // closed when the initiator's log stream has been served
	done     bool          // synced is closed
	logs     int           // log streams being served
	refusals int           // streams the peer refused since it last took one
	refused  time.Time     // the first of them
	ctx      context.Context
	cancel   context.CancelFunc // ends handlers of the link's streams
}

// pairState counts what pair has; it is level-triggered: tell compares it with what was told.
type pairState struct {
	live int    // links ready or open
	gen  uint64 // grows whenever live falls to 0
}

// notifiee registers and forgets connections.
func (h *Host) notifiee() *network.NotifyBundle {
	return &network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { h.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { h.disconnected(c) },
	}
}

func (h *Host) connected(raw network.Conn) {
	c := h.connOf(raw)
	if c == nil || raw.Stat().Direction != network.DirOutbound {
		return
	}
	h.greetSoon(c)
}

// connOf returns raw's record, nil if raw is closed.
func (h *Host) connOf(raw network.Conn) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conns[raw]
	if c == nil && !raw.IsClosed() && h.running {
		c = &conn{
			raw: raw, links: map[wire.Tag]*link{}, absent: map[ident.MeshID]bool{},
			gone: make(chan struct{}),
		}
		h.conns[raw] = c
		h.to[raw.RemotePeer()] = append(h.to[raw.RemotePeer()], c)
		h.broadcast()
	}
	return c
}

func (h *Host) disconnected(raw network.Conn) {
	h.mu.Lock()
	c := h.conns[raw]
	var streams []*Stream
	if c != nil {
		delete(h.conns, raw)
		h.unlist(c)
		close(c.gone)
		for _, l := range c.links {
			streams = append(streams, h.kill(l)...)
		}
		h.broadcast()
	}
	h.mu.Unlock()
	reset(streams)
}

// unlist needs mu: it takes a connection out of those to its peer.
func (h *Host) unlist(c *conn) {
	p := c.remoteOf()
	h.to[p] = slices.DeleteFunc(h.to[p], func(other *conn) bool { return other == c })
	if len(h.to[p]) == 0 {
		delete(h.to, p)
	}
}

// broadcast needs mu: something a waiter may wait for has changed.
func (h *Host) broadcast() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// newLink enters what a handshake has proved and returns it. It is nil when the connection is gone.
func (h *Host) newLink(c *conn, m Mesh, tag wire.Tag, p Peer, sync bool) *link {
	h.mu.Lock()
	if h.conns[c.raw] != c || c.links[tag] != nil {
		h.mu.Unlock()
		return nil
	}
	h.order++
	l := &link{
		conn: c, mesh: m, id: p.Mesh, tag: tag, order: h.order, peer: p, sync: sync,
		streams: map[*Stream]struct{}{}, synced: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(h.ctx)
	c.links[tag] = l
	delete(c.absent, p.Mesh)
	streams := h.displace(c, p.Mesh)
	h.broadcast()
	h.mu.Unlock()
	reset(streams)
	return l
}

// displace needs mu: it kills the oldest links of mesh on c that are too many.
func (h *Host) displace(c *conn, mesh ident.MeshID) (streams []*Stream) {
	for {
		var oldest *link
		n := 0
		for _, l := range c.links {
			if l.id != mesh {
				continue
			}
			n++
			if oldest == nil || l.order < oldest.order {
				oldest = l
			}
		}
		if n <= linksPerMesh {
			return streams
		}
		streams = append(streams, h.kill(oldest)...)
	}
}

// kill needs mu: it ends l and returns the streams to reset once mu is free.
func (h *Host) kill(l *link) (streams []*Stream) {
	if l.state == dead {
		return nil
	}
	was := l.state
	l.state = dead
	delete(l.conn.links, l.tag)
	l.cancel()
	for s := range l.streams {
		streams = append(streams, s)
	}
	clear(l.streams)
	if was == ready || was == open {
		k := pair{l.id, l.peer.Peer}
		ps := h.pairs[k]
		ps.live--
		if ps.live == 0 {
			ps.gen++
		}
		h.mark(k)
	}
	h.broadcast()
	return streams
}

// end kills l.
func (h *Host) end(l *link) {
	h.mu.Lock()
	streams := h.kill(l)
	h.mu.Unlock()
	reset(streams)
}

// admit makes l ready: Mesh.Proved is called soon, then it opens. Links of the same peer under
// another member key end: the newest key is the one that counts.
func (h *Host) admit(l *link, p Peer) {
	h.mu.Lock()
	var streams []*Stream
	if l.state == syncing {
		k := pair{l.id, p.Peer}
		for _, c := range h.to[p.Peer] {
			for _, other := range c.links {
				if other.id == l.id && other.peer.Key != p.Key {
					streams = append(streams, h.kill(other)...)
				}
			}
		}
		l.state, l.peer = ready, p
		ps := h.pairs[k]
		if ps == nil {
			ps = &pairState{}
			h.pairs[k] = ps
		}
		ps.live++
		h.mark(k)
	}
	h.mu.Unlock()
	reset(streams)
	h.rival(l)
}

// mark needs mu: k's state has changed and is to be told.
func (h *Host) mark(k pair) {
	h.dirty = append(h.dirty, k)
	select {
	case h.events <- struct{}{}:
	default:
	}
}

// bestLink needs mu: the open link of k to use, the best path first, then the newest.
func (h *Host) bestLink(k pair) *link {
	var best *link
	for _, c := range h.to[k.peer] {
		for _, l := range c.links {
			if l.id == k.mesh && l.state == open && (best == nil || better(l, best)) {
				best = l
			}
		}
	}
	return best
}

func better(a, b *link) bool {
	if a.conn != b.conn {
		if ka, kb := kindOf(a.conn.raw), kindOf(b.conn.raw); ka != kb {
			return ka < kb
		}
	}
	return a.order > b.order
}

// reset resets streams that were taken from a link.
func reset(streams []*Stream) {
	for _, s := range streams {
		s.raw.Reset()
	}
}

// Drop closes mesh to member key: its streams are reset and it stays unproved until a handshake
// proves it again, which Mesh.Check decides.
func (h *Host) Drop(mesh ident.MeshID, key ident.PublicKey) {
	h.dropIf(func(l *link) bool { return l.id == mesh && l.peer.Key == key })
}

func (h *Host) dropIf(gone func(*link) bool) {
	h.mu.Lock()
	var streams []*Stream
	for _, c := range h.conns {
		for _, l := range c.links {
			if gone(l) {
				streams = append(streams, h.kill(l)...)
			}
		}
	}
	h.mu.Unlock()
	reset(streams)
}

// remoteOf is who is at the other end.
func (c *conn) remoteOf() peer.ID { return c.raw.RemotePeer() }
