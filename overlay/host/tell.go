package host

import (
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// told is what Mesh and the watchers were last told of a pair that they hold for proved.
type told struct {
	mesh Mesh
	peer Peer
	gen  uint64
}

// watch is one subscriber to the peers of a mesh.
type watch struct {
	mesh    ident.MeshID
	fn      func(p Peer, proved bool)
	fresh   bool // has not been told of those proved before it came
	stopped bool
}

// Watch calls fn for each peer proved in mesh, now and later (true), and for each that no longer is
// (false). Calls come one after the other from the goroutine that also calls Mesh.Proved and
// Mesh.Lost, after those: fn must return soon and may not wait for the host. After stop has returned
// no new call begins.
func (h *Host) Watch(mesh ident.MeshID, fn func(p Peer, proved bool)) (stop func()) {
	w := &watch{mesh: mesh, fn: fn, fresh: true}
	h.mu.Lock()
	h.watches = append(h.watches, w)
	h.mu.Unlock()
	h.wake()
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		w.stopped = true
		for i, v := range h.watches {
			if v == w {
				h.watches = append(h.watches[:i:i], h.watches[i+1:]...)
				return
			}
		}
	}
}

func (h *Host) wake() {
	select {
	case h.events <- struct{}{}:
	default:
	}
}

// tell is the one goroutine that calls Mesh.Proved, Mesh.Lost and watchers.
func (h *Host) tell() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.events:
		}
		for h.tellOne() {
		}
		h.greetWatches()
	}
}

// tellOne takes one pair whose state may have changed and tells the difference.
func (h *Host) tellOne() bool {
	h.mu.Lock()
	if len(h.dirty) == 0 {
		h.dirty = nil
		h.mu.Unlock()
		return false
	}
	k := h.dirty[0]
	h.dirty = h.dirty[1:]
	var l *link // the newest live link
	gen := uint64(0)
	if ps := h.pairs[k]; ps != nil {
		gen = ps.gen
		if ps.live > 0 {
			l = h.newestLive(k)
		}
	}
	var m Mesh
	var p Peer
	if l != nil {
		m, p = l.mesh, l.peer
	}
	h.mu.Unlock()

	was, know := h.told[k]
	if know && (l == nil || was.gen != gen) {
		delete(h.told, k)
		h.log.Info("peer lost", "mesh", k.mesh, "peer", k.peer)
		was.mesh.Lost(was.peer)
		h.notify(was.peer, false)
		know = false
	}
	if l == nil {
		h.forget(k)
		return true
	}
	if !know {
		h.told[k] = told{m, p, gen}
		h.log.Info("peer proved", "mesh", k.mesh, "peer", k.peer, "member", p.Key)
		m.Proved(p)
	}
	h.openLinks(k)
	if !know {
		h.notify(p, true)
	}
	return true
}

// newestLive needs mu.
func (h *Host) newestLive(k pair) *link {
	var best *link
	for _, c := range h.to[k.peer] {
		for _, l := range c.links {
			if l.id == k.mesh && (l.state == ready || l.state == open) &&
				(best == nil || l.order > best.order) {
				best = l
			}
		}
	}
	return best
}

// openLinks opens k's ready links, now that Mesh knows the peer.
func (h *Host) openLinks(k pair) {
	h.mu.Lock()
	for _, c := range h.to[k.peer] {
		for _, l := range c.links {
			if l.id == k.mesh && l.state == ready {
				l.state = open
			}
		}
	}
	h.broadcast()
	h.mu.Unlock()
	h.inner.ConnManager().Protect(k.peer, "mesh "+k.mesh.String())
}

// forget drops k's record if nothing became live meanwhile.
func (h *Host) forget(k pair) {
	h.mu.Lock()
	if ps := h.pairs[k]; ps != nil && ps.live == 0 {
		delete(h.pairs, k)
	}
	h.mu.Unlock()
	h.inner.ConnManager().Unprotect(k.peer, "mesh "+k.mesh.String())
}

func (h *Host) notify(p Peer, proved bool) {
	h.mu.Lock()
	var fns []func(Peer, bool)
	for _, w := range h.watches {
		if w.mesh == p.Mesh && !w.fresh {
			fns = append(fns, w.fn)
		}
	}
	h.mu.Unlock()
	for _, fn := range fns {
		fn(p, proved)
	}
}

// greetWatches tells new watchers of those proved before they came.
func (h *Host) greetWatches() {
	h.mu.Lock()
	var fresh []*watch
	for _, w := range h.watches {
		if w.fresh {
			w.fresh = false
			fresh = append(fresh, w)
		}
	}
	h.mu.Unlock()
	for _, w := range fresh {
		for k, t := range h.told {
			if k.mesh == w.mesh {
				w.fn(t.peer, true)
			}
		}
	}
}
