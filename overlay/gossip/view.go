package gossip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/event"
	p2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Host is what a router needs of package host.
type Host interface {
	ID() peer.ID
	Path(p peer.ID) (host.Path, bool)
	OpenOneOf(ctx context.Context, mesh ident.MeshID, p peer.ID, protos []string) (*host.Stream, error)
	HandleMesh(mesh ident.MeshID, proto string, max int, fn func(context.Context, *host.Stream)) (stop func())
	Watch(mesh ident.MeshID, fn func(p host.Peer, proved bool)) (stop func())
}

// view is the part of a libp2p host that pubsub uses, as far as one mesh goes. The embedded interface
// is nil: a call nobody foresaw panics, in the first test.
type view struct {
	p2phost.Host
	h      Host
	mesh   ident.MeshID
	protos []protocol.ID
	bus    event.Bus
	emit   event.Emitter

	mu      sync.Mutex // guards all below; never held while emitting, which calls back
	proved  map[peer.ID]*conn
	stops   []func()      // handlers at h
	changed chan struct{} // closed and replaced when proved or a stream changes
}

func newView(h Host, mesh ident.MeshID, protos []protocol.ID) (*view, error) {
	v := &view{
		h: h, mesh: mesh, protos: protos, bus: eventbus.NewBus(),
		proved: map[peer.ID]*conn{}, changed: make(chan struct{}),
	}
	var err error
	v.emit, err = v.bus.Emitter(new(event.EvtPeerIdentificationCompleted))
	return v, err
}

// prove and unprove follow the host.
func (v *view) watch(p host.Peer, proved bool) {
	if !proved {
		v.mu.Lock()
		delete(v.proved, p.Peer) // the host has reset its streams
		v.broadcast()
		v.mu.Unlock()
		return
	}
	v.mu.Lock()
	c := &conn{v: v, peer: p, since: time.Now(), streams: map[*stream]struct{}{}}
	v.proved[p.Peer] = c
	v.broadcast()
	v.mu.Unlock()
	v.announce(p.Peer)
}

// announce makes pubsub take notice of a proved peer. It blocks while the bus is full.
func (v *view) announce(p peer.ID) {
	v.emit.Emit(event.EvtPeerIdentificationCompleted{Peer: p, Protocols: v.protos})
}

// repair announces peers once more to which there is no stream: pubsub gives up a peer whose streams
// have died a few times and waits for news of it.
func (v *view) repair() {
	v.mu.Lock()
	var mute []peer.ID
	for p, c := range v.proved {
		if !c.outgoing() && time.Since(c.since) > repairAfter {
			mute = append(mute, p)
		}
	}
	v.mu.Unlock()
	for _, p := range mute {
		v.announce(p)
	}
}

// broadcast needs mu.
func (v *view) broadcast() {
	close(v.changed)
	v.changed = make(chan struct{})
}

// close ends what the view has with the host.
func (v *view) close() {
	v.mu.Lock()
	stops := v.stops
	v.stops = nil
	var all []*stream
	for _, c := range v.proved {
		for s := range c.streams {
			all = append(all, s)
		}
	}
	clear(v.proved)
	v.broadcast()
	v.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	for _, s := range all {
		s.Reset()
	}
	v.emit.Close()
}

// The part of host.Host that pubsub calls.

func (v *view) ID() peer.ID                         { return v.h.ID() }
func (v *view) Network() network.Network            { return viewNetwork{v: v} }
func (v *view) EventBus() event.Bus                 { return v.bus }
func (v *view) ConnManager() connmgr.ConnManager    { return connmgr.NullConnMgr{} }
func (v *view) RemoveStreamHandler(pid protocol.ID) {}
func (v *view) Connect(context.Context, peer.AddrInfo) error {
	return errors.New("gossip: routers do not dial")
}

// SetStreamHandler serves an inner protocol of this mesh.
func (v *view) SetStreamHandler(proto protocol.ID, fn network.StreamHandler) {
	stop := v.h.HandleMesh(v.mesh, string(proto), maxStreams, func(_ context.Context, s *host.Stream) {
		if s.SetDeadline(time.Time{}) != nil {
			return
		}
		if w := v.enter(s, network.DirInbound); w != nil {
			fn(w)
			v.leave(w)
		}
	})
	v.mu.Lock()
	v.stops = append(v.stops, stop)
	v.mu.Unlock()
}

// NewStream opens a stream to a proved peer. pubsub gives a peer up when this fails, so it does not
// before the peer is unproved: the other side may not have its router up yet.
func (v *view) NewStream(ctx context.Context, p peer.ID, protos ...protocol.ID) (network.Stream, error) {
	names := make([]string, len(protos))
	for i, id := range protos {
		names[i] = string(id)
	}
	for wait := openRetry; ; wait = min(2*wait, openRetryMax) {
		v.mu.Lock()
		c, changed := v.proved[p], v.changed
		v.mu.Unlock()
		if c == nil {
			return nil, ErrNotProved
		}
		s, err := v.h.OpenOneOf(ctx, v.mesh, p, names)
		if err == nil {
			if w := v.enter(s, network.DirOutbound); w != nil {
				return w, nil
			}
			s.Reset()
			continue
		}
		if err := pause(ctx, wait, changed); err != nil {
			return nil, fmt.Errorf("gossip: open: %w", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration, changed <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// enter makes s a stream of its peer; nil if the peer is not proved.
func (v *view) enter(s *host.Stream, dir network.Direction) *stream {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.proved[s.Peer.Peer]
	if c == nil {
		return nil
	}
	w := &stream{Stream: s, c: c, dir: dir, opened: time.Now()}
	c.streams[w] = struct{}{}
	v.broadcast()
	return w
}

func (v *view) leave(w *stream) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := w.c.streams[w]; ok {
		delete(w.c.streams, w)
		v.broadcast()
	}
}

// viewNetwork is the view's network; nil inside for the same reason.
type viewNetwork struct {
	network.Network
	v *view
}

func (n viewNetwork) LocalPeer() peer.ID { return n.v.ID() }

func (n viewNetwork) Peers() []peer.ID {
	n.v.mu.Lock()
	defer n.v.mu.Unlock()
	out := make([]peer.ID, 0, len(n.v.proved))
	for p := range n.v.proved {
		out = append(out, p)
	}
	return out
}

func (n viewNetwork) Connectedness(p peer.ID) network.Connectedness {
	n.v.mu.Lock()
	defer n.v.mu.Unlock()
	if n.v.proved[p] == nil {
		return network.NotConnected
	}
	return network.Connected
}

func (n viewNetwork) ConnsToPeer(p peer.ID) []network.Conn {
	n.v.mu.Lock()
	defer n.v.mu.Unlock()
	if c := n.v.proved[p]; c != nil {
		return []network.Conn{c}
	}
	return nil
}
