package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/claudemesh/claudemesh/overlay/host/p2p"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// handlerKey is an inner protocol, of one mesh or (zero) of all.
type handlerKey struct {
	mesh  ident.MeshID
	proto string
}

type handler struct {
	fn  func(ctx context.Context, s *Stream)
	max int
	now map[pair]int // streams it serves, by who opened them
}

// Handle serves an inner protocol in every mesh. fn runs in a goroutine of the host, which waits for
// it: it must return soon after ctx ends, which it does with the host, the connection or the peer's
// proof (the stream is reset then). A stream comes with a deadline of 30 s; who needs longer sets
// another. It is closed when fn returns. At most max streams per peer and mesh are served at once;
// who opens a further one gets ErrBusy. A second Handle for the same protocol replaces the first.
func (h *Host) Handle(proto string, max int, fn func(ctx context.Context, s *Stream)) {
	h.handle(handlerKey{proto: proto}, max, fn)
}

// HandleMesh is Handle for one mesh alone; it goes before a handler for all. stop takes it back.
func (h *Host) HandleMesh(mesh ident.MeshID, proto string, max int, fn func(ctx context.Context, s *Stream)) (stop func()) {
	k := handlerKey{mesh, proto}
	hd := h.handle(k, max, fn)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.handlers[k] == hd {
			delete(h.handlers, k)
		}
	}
}

func (h *Host) handle(k handlerKey, max int, fn func(context.Context, *Stream)) *handler {
	hd := &handler{fn: fn, max: max, now: map[pair]int{}}
	h.mu.Lock()
	h.handlers[k] = hd
	h.mu.Unlock()
	return hd
}

// accept serves one mesh stream. Whatever is wrong with it, the opener sees the same reset.
func (h *Host) accept(s network.Stream) {
	if !h.enter() {
		s.Reset()
		return
	}
	defer h.wg.Done()
	c := h.connOf(s.Conn())
	if c == nil {
		s.Reset()
		return
	}
	slow := !h.streamRate.Allow(string(c.remoteOf()))
	if !h.startWaiting(c, slow) {
		s.Reset()
		return
	}
	l, head, err := h.headOf(c, s)
	var hd *handler
	if err == nil && !isLog(head.Protos) {
		err = h.untilOpen(l)
	}
	h.mu.Lock()
	c.waiting--
	i := 0
	if err == nil {
		hd, i, err = h.choose(l, head.Protos, slow)
	}
	h.mu.Unlock()
	switch {
	case err == nil:
		h.serve(l, hd, s, i, head.Protos[i])
	case errors.Is(err, ErrUnsupported):
		answerAndClose(s, wire.NoProto)
	case errors.Is(err, ErrBusy):
		answerAndClose(s, wire.Busy)
	default:
		s.Reset()
	}
}

func answerAndClose(s network.Stream, answer byte) {
	if _, err := s.Write([]byte{answer}); err != nil {
		s.Reset()
		return
	}
	s.Close()
}

func isLog(protos []string) bool { return len(protos) == 1 && protos[0] == ProtoLog }

// startWaiting takes a place among the streams not yet handed over; there is none for those who come
// too fast and have proved nothing.
func (h *Host) startWaiting(c *conn, slow bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.waiting >= h.cfg.Limits.Waiting || slow && len(c.links) == 0 {
		return false
	}
	c.waiting++
	return true
}

// headOf reads the header of s and finds its link. While a handshake runs on the connection the tag
// may be one we shall know in a moment.
func (h *Host) headOf(c *conn, s network.Stream) (*link, wire.Header, error) {
	if err := s.SetDeadline(time.Now().Add(headerTimeout)); err != nil {
		return nil, wire.Header{}, err
	}
	b, err := wire.ReadFrame(s, wire.MaxHeaderFrame)
	if err != nil {
		return nil, wire.Header{}, err
	}
	head, err := wire.ParseHeader(b)
	if err != nil {
		return nil, wire.Header{}, err
	}
	var l *link
	err = h.await(func() bool {
		l = c.links[head.Tag]
		return l != nil || c.busy == 0
	})
	if err == nil && l == nil {
		err = errTag
	}
	return l, head, err
}

// untilOpen waits while l is not open yet: our side may still be exchanging logs.
func (h *Host) untilOpen(l *link) error {
	isDead := false
	err := h.await(func() bool {
		isDead = l.state == dead
		return l.state >= open
	})
	if err == nil && isDead {
		err = ErrNotProved
	}
	return err
}

// await waits until cond, which is called under mu, holds: at most headerTimeout.
func (h *Host) await(cond func() bool) error {
	var timer <-chan time.Time
	for {
		h.mu.Lock()
		ok, changed := cond(), h.changed
		h.mu.Unlock()
		if ok {
			return nil
		}
		if timer == nil {
			timer = time.After(headerTimeout)
		}
		select {
		case <-changed:
		case <-timer:
			return context.DeadlineExceeded
		case <-h.ctx.Done():
			return ErrStopped
		}
	}
}

// choose needs mu: it takes the first inner protocol that is served, and a place with its handler. A
// nil handler stands for the log exchange.
func (h *Host) choose(l *link, protos []string, slow bool) (*handler, int, error) {
	switch {
	case l.state == dead:
		return nil, 0, ErrNotProved
	case isLog(protos):
		if l.state == syncing && (l.peer.Initiator || l.done) {
			return nil, 0, ErrNotProved
		}
		if l.logs >= maxLogStreams {
			return nil, 0, ErrBusy
		}
		l.logs++
		return nil, 0, nil
	case slow:
		return nil, 0, ErrBusy
	}
	for i, proto := range protos {
		hd := h.handlers[handlerKey{l.id, proto}]
		if hd == nil {
			hd = h.handlers[handlerKey{proto: proto}]
		}
		if hd == nil {
			continue
		}
		k := pair{l.id, l.peer.Peer}
		if hd.now[k] >= hd.max {
			return nil, 0, ErrBusy
		}
		hd.now[k]++
		return hd, i, nil
	}
	return nil, 0, ErrUnsupported
}

// serve answers with the index and runs the handler.
func (h *Host) serve(l *link, hd *handler, raw network.Stream, i int, proto string) {
	defer h.leave(l, hd)
	s := NewStream(l.peerNow(h), proto, raw)
	if !h.join(l, s) {
		s.Reset()
		return
	}
	defer func() {
		if l.ctx.Err() != nil {
			s.Reset() // the link ended under the handler: the peer must not take it for a proper end
			return
		}
		s.Close()
	}()
	if _, err := raw.Write([]byte{byte(i)}); err != nil {
		s.Reset()
		return
	}
	if err := s.SetDeadline(time.Now().Add(streamDeadline)); err != nil {
		s.Reset()
		return
	}
	if hd != nil {
		hd.fn(l.ctx, s)
		return
	}
	h.serveLog(l, s)
}

// serveLog runs Mesh.Sync for whoever opened the log stream.
func (h *Host) serveLog(l *link, s *Stream) {
	ctx, cancel := context.WithTimeout(l.ctx, syncTimeout)
	defer cancel()
	s.SetDeadline(time.Now().Add(syncTimeout))
	err := l.mesh.Sync(ctx, s, false, s.Peer)
	if err != nil {
		h.log.Debug("log exchange failed", "mesh", l.id, "peer", s.Peer.Peer, "err", err)
		s.Reset()
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !l.done {
		l.done = true
		close(l.synced)
	}
}

func (h *Host) leave(l *link, hd *handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hd == nil {
		l.logs--
		return
	}
	k := pair{l.id, l.peer.Peer}
	if hd.now[k]--; hd.now[k] == 0 {
		delete(hd.now, k)
	}
}

// peerNow is l.peer, which changes once, when the logs have been exchanged.
func (l *link) peerNow(h *Host) Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	return l.peer
}

// HandleStranger serves proto to anybody who connects, within Limits.Strangers. Streams come with a
// deadline of a minute and only Peer.Peer set. fn runs like that of Handle.
func (h *Host) HandleStranger(proto protocol.ID, fn func(ctx context.Context, s *Stream)) {
	h.inner.SetStreamHandler(proto, func(raw network.Stream) {
		if !h.enter() {
			raw.Reset()
			return
		}
		defer h.wg.Done()
		if !h.strangerRate.Allow(p2p.AddressKey(raw.Conn().RemoteMultiaddr())) {
			raw.Reset()
			return
		}
		select {
		case h.strangers <- struct{}{}:
			defer func() { <-h.strangers }()
		default:
			raw.Reset()
			return
		}
		if err := raw.SetDeadline(time.Now().Add(strangerTimeout)); err != nil {
			raw.Reset()
			return
		}
		s := NewStream(Peer{Peer: raw.Conn().RemotePeer()}, string(proto), raw)
		defer s.Close()
		fn(h.ctx, s)
	})
}

// OpenStranger opens a stream of a strangers' protocol to p, which must be connected. The stream has
// a deadline of a minute unless its user sets another.
func (h *Host) OpenStranger(ctx context.Context, p peer.ID, proto protocol.ID) (*Stream, error) {
	if !h.enter() {
		return nil, ErrStopped
	}
	defer h.wg.Done()
	c := h.connTo(p)
	if c == nil {
		return nil, ErrOffline
	}
	raw, err := p2p.Open(ctx, c.raw, proto)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOffline, err)
	}
	if err := raw.SetDeadline(time.Now().Add(strangerTimeout)); err != nil {
		raw.Reset()
		return nil, err
	}
	return NewStream(Peer{Peer: p}, string(proto), raw), nil
}

// connTo returns the best connection to p.
func (h *Host) connTo(p peer.ID) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.to[p]) == 0 {
		return nil
	}
	return slices.MinFunc(h.to[p], func(a, b *conn) int { return int(kindOf(a.raw)) - int(kindOf(b.raw)) })
}
