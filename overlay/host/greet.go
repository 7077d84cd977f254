package host

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/overlay/host/p2p"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// greetTries is how often a failed handshake is tried again on one connection (after about 1, 2, 4 …
// seconds, at most 60) before it is left until Reprove or a refused stream asks for another.
const greetTries = 8

// greetSoon makes the connection's one greeter run a handshake, at once or after the one that runs.
func (h *Host) greetSoon(c *conn) {
	h.mu.Lock()
	if c.greeting {
		c.again = true
		h.mu.Unlock()
		return
	}
	c.greeting = true
	h.mu.Unlock()
	h.spawn(func() { h.greeter(c) })
}

func (h *Host) greeter(c *conn) {
	for failed := 0; ; {
		ok := h.greet(c)
		h.mu.Lock()
		if ok {
			failed = 0
		} else {
			failed++
		}
		if !c.again && (ok || failed > greetTries) {
			c.greeting = false
			h.mu.Unlock()
			return
		}
		c.again = false
		h.mu.Unlock()
		if failed > 0 && !h.pause(c, backoff(failed)) {
			return
		}
	}
}

// pause waits for d; false when the connection or the host has gone.
func (h *Host) pause(c *conn, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.gone:
		return false
	case <-h.ctx.Done():
		return false
	}
}

// backoff is 1 s after the first failure, doubling up to 60 s, give or take a quarter.
func backoff(failed int) time.Duration {
	d := min(time.Second<<min(failed-1, 6), time.Minute)
	return d*3/4 + rand.N(d/2)
}

// greet runs one handshake on c as the initiator, with what follows from it; false asks for another
// try.
func (h *Host) greet(c *conn) bool {
	var links []*link
	var err error
	if len(h.cfg.Meshes.List()) > 0 {
		h.busy(c, 1)
		links, err = h.hello(c)
		h.busy(c, -1)
	}
	ok := err == nil || errors.Is(err, p2p.ErrProtocol)
	if err != nil {
		h.log.Debug("handshake failed", "peer", c.remoteOf(), "err", err)
	}
	if !h.follow(c, links) {
		ok = false
	}
	return ok
}

// busy counts handshakes under way on c.
func (h *Host) busy(c *conn, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.busy += n
	h.broadcast()
}

// follow does what comes after a handshake for each of its links, all at once, and then calls the
// connection settled. It is true if every one has become ready.
func (h *Host) follow(c *conn, links []*link) bool {
	results := make(chan bool, len(links))
	for _, l := range links {
		if !h.spawn(func() { results <- h.settle(l) }) {
			results <- false
		}
	}
	ok := true
	for range links {
		ok = <-results && ok
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.settled = true
	h.broadcast()
	return ok
}

// settle brings a new link to ready or ends it: logs first if one side wants them, then the word of
// the mesh. The mesh is asked again once the link is ready: a removal meanwhile has either found it
// there, or is seen now.
func (h *Host) settle(l *link) bool {
	p := l.peerNow(h)
	var err error
	if l.sync || p.NeedSync || !p.Member {
		err = h.exchange(l, p)
	}
	if err == nil {
		p, err = h.member(l, p)
	}
	if err == nil {
		h.admit(l, p)
		h.untilOpen(l) // Mesh.Proved is called in between
		_, err = h.member(l, p)
	}
	if err != nil {
		h.log.Debug("peer not let in", "mesh", l.id, "peer", p.Peer, "err", err)
		h.end(l)
	}
	return err == nil
}

// member asks whether l's mesh is still ours and p one of its members.
func (h *Host) member(l *link, p Peer) (Peer, error) {
	if !slices.Contains(h.cfg.Meshes.List(), l.mesh) {
		return p, errLeft
	}
	p, ok := l.mesh.Member(p)
	if !ok {
		return p, ErrNotProved
	}
	return p, nil
}

// exchange runs Mesh.Sync as the initiator, or waits until the initiator has run it with us.
func (h *Host) exchange(l *link, p Peer) error {
	ctx, cancel := context.WithTimeout(l.ctx, syncTimeout)
	defer cancel()
	if p.Initiator {
		return h.syncOn(ctx, l)
	}
	select {
	case <-l.synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// syncOn opens a log stream on l and runs Mesh.Sync over it.
func (h *Host) syncOn(ctx context.Context, l *link) error {
	s, err := h.openOn(ctx, l, []string{ProtoLog})
	if err != nil {
		return err
	}
	defer s.Close()
	deadline, _ := ctx.Deadline()
	if err := s.SetDeadline(deadline); err != nil {
		return err
	}
	if err := l.mesh.Sync(ctx, s, true, s.Peer); err != nil {
		s.Reset()
		return err
	}
	return nil
}

// hello is steps 1 to 4 on c, as the initiator.
func (h *Host) hello(c *conn) ([]*link, error) {
	ctx, cancel := context.WithTimeout(h.ctx, helloTimeout)
	defer cancel()
	s, err := p2p.Open(ctx, c.raw, ProtoHello)
	if err != nil {
		return nil, err
	}
	defer s.Reset() // after the last frame there is nothing to lose
	if err := s.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return nil, err
	}
	fc := wire.NewConn(s)
	x := exchangeState{h: h, c: c, initiator: true}
	x.i = newNonce()
	begun := time.Now()
	if err := fc.Send(wire.Hello{Nonce: x.i, Version: wire.Version}.Marshal()); err != nil {
		return nil, err
	}
	b, err := fc.ReadFrame(wire.MaxHelloFrame)
	if err != nil {
		return nil, err
	}
	h.measured(c, time.Since(begun))
	offer, err := wire.ParseOffer(b)
	if err != nil {
		return nil, err
	}
	x.r = offer.Nonce
	mine := x.match(offer.Tags, h.cfg.Meshes.List())
	for _, m := range mine {
		if err := x.send(fc, m, false); err != nil {
			return nil, err
		}
	}
	if err := fc.Send(nil); err != nil {
		return nil, err
	}
	return x.readProofs(fc, mine)
}

// match picks the meshes whose tag is among the offered ones and which are not proved on this
// connection yet, and notes which are not in common.
func (x *exchangeState) match(offered []wire.Tag, meshes []Mesh) []*candidate {
	there := make(map[wire.Tag]bool, len(offered))
	for _, t := range offered {
		there[t] = true
	}
	cands := x.candidates(meshes)
	x.h.mu.Lock()
	defer x.h.mu.Unlock()
	var out []*candidate
	for _, m := range cands {
		x.c.absent[m.id] = !there[m.theirs]
		if there[m.theirs] && !x.c.has(m.id) {
			out = append(out, m)
		}
	}
	return out
}

// has needs Host.mu: mesh has a live link on c.
func (c *conn) has(mesh ident.MeshID) bool {
	for _, l := range c.links {
		if l.id == mesh {
			return true
		}
	}
	return false
}

// Reprove brings connections in line with this node's meshes after one was joined or left, or
// somebody was admitted or removed: mesh streams of meshes that are gone and of peers that are no
// members any more are reset before it returns; the handshake for what is not proved yet runs on.
func (h *Host) Reprove() {
	mine := map[ident.MeshID]Mesh{}
	for _, m := range h.cfg.Meshes.List() {
		mine[m.ID()] = m
	}
	drop := map[*link]bool{}
	for _, l := range h.liveLinks() {
		if m := mine[l.id]; m != l.mesh {
			drop[l.link] = true
		} else if _, ok := m.Member(l.peer); !ok && l.state != syncing {
			drop[l.link] = true
		}
	}
	h.dropIf(func(l *link) bool { return drop[l] })
	for _, c := range h.unproved(mine) {
		h.greetSoon(c)
	}
}

// linkView is what may be read of a link without the lock.
type linkView struct {
	*link
	state state
	peer  Peer
}

func (h *Host) liveLinks() []linkView {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []linkView
	for _, c := range h.conns {
		for _, l := range c.links {
			out = append(out, linkView{l, l.state, l.peer})
		}
	}
	return out
}

// unproved returns the connections on which some mesh might be proved but is not: those never tried
// there, and those that failed. What the other side did not offer it will offer itself.
func (h *Host) unproved(mine map[ident.MeshID]Mesh) []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*conn
	for _, c := range h.conns {
		for id := range mine {
			if !c.has(id) && !c.absent[id] {
				out = append(out, c)
				break
			}
		}
	}
	return out
}
