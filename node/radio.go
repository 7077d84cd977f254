package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// A gossip payload is sealed under the mesh's effective key. Inside, its first byte
// says what it is:
//
//	1 beacon  the member's key (32 bytes), then its beacon statement
//	2 heads   ids of admin log heads, 32 bytes each: a hint, hence not signed
//	3 letter  a message to many, as a letter
//	4 record  a shared record, as overlay/replica writes it
const (
	sayBeacon byte = 1
	sayHeads  byte = 2
	sayLetter byte = 3
	sayRecord byte = 4
)

// radios runs the gossip router of every mesh of this node.
type radios struct {
	host   gossip.Host
	meshes *mesh.Meshes
	// hear judges what was opened; from is the neighbour it came through.
	hear func(ctx context.Context, m *mesh.Mesh, from peer.ID, kind byte, body []byte) gossip.Verdict
	// differ says that a neighbour's admin log is not ours.
	differ func(mesh ident.MeshID, from peer.ID)
	// refused hears that a neighbour gave what can never be good.
	refused func(mesh ident.MeshID, from peer.ID, what string)

	mu   sync.Mutex // guards what follows
	life context.Context
	on   map[ident.MeshID]*radio
	wg   sync.WaitGroup
}

// radio is one running router.
type radio struct {
	router *gossip.Router
	stop   context.CancelFunc
	done   chan struct{}
}

// Run lives until ctx ends and waits for all routers.
func (r *radios) Run(ctx context.Context) error {
	r.mu.Lock()
	r.life, r.on = ctx, make(map[ident.MeshID]*radio)
	r.mu.Unlock()
	err := r.follow()
	<-ctx.Done()
	r.mu.Lock()
	r.life = nil
	r.mu.Unlock()
	r.wg.Wait()
	return errors.Join(err, ctx.Err())
}

// follow starts the routers of new meshes and stops those of meshes that were left.
func (r *radios) follow() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life == nil {
		return nil
	}
	current := make(map[ident.MeshID]bool)
	var failed error
	for _, m := range r.meshes.All() {
		current[m.ID()] = true
		if _, runs := r.on[m.ID()]; !runs {
			failed = errors.Join(failed, r.start(m))
		}
	}
	for id, one := range r.on {
		if !current[id] {
			one.stop()
			delete(r.on, id)
		}
	}
	return failed
}

// start runs one mesh's router. The caller holds r.mu.
func (r *radios) start(m *mesh.Mesh) error {
	router, err := gossip.New(r.host, m.ID())
	if err != nil {
		return fmt.Errorf("gossip of mesh %s: %w", m.ID(), err)
	}
	ctx, stop := context.WithCancel(r.life)
	router.Handle(func(from peer.ID, payload []byte) gossip.Verdict {
		v, what := r.open(ctx, m, from, payload)
		if v == gossip.Reject {
			r.refused(m.ID(), from, what)
		}
		return v
	})
	one := &radio{router: router, stop: stop, done: make(chan struct{})}
	r.on[m.ID()] = one
	r.wg.Go(func() {
		defer close(one.done)
		_ = router.Run(ctx) // ends with ctx alone
	})
	return nil
}

// said is what the kinds are called in the account.
var said = map[byte]string{sayBeacon: "beacon", sayHeads: "heads", sayLetter: "message", sayRecord: "record"}

// open decrypts a payload and has it judged. what says what it was.
func (r *radios) open(ctx context.Context, m *mesh.Mesh, from peer.ID, payload []byte) (v gossip.Verdict, what string) {
	plain, current, err := m.OpenGossip(payload)
	switch {
	case errors.Is(err, mesh.ErrUnknownEpoch):
		r.differ(m.ID(), from)
		return gossip.Ignore, ""
	case err != nil || len(plain) == 0:
		return gossip.Reject, "gossip"
	case !current:
		r.differ(m.ID(), from) // somebody has not heard of the newest epoch
	}
	return r.hear(ctx, m, from, plain[0], plain[1:]), said[plain[0]]
}

// near gives the neighbours that hear what this node says to a mesh.
func (r *radios) near(id ident.MeshID) map[peer.ID]bool {
	r.mu.Lock()
	one := r.on[id]
	r.mu.Unlock()
	if one == nil {
		return nil
	}
	out := make(map[peer.ID]bool)
	for _, p := range one.router.Peers() {
		out[p] = true
	}
	return out
}

// say shouts to a mesh. Nobody to hear it is no error.
func (r *radios) say(ctx context.Context, id ident.MeshID, kind byte, body []byte) error {
	m, ok := r.meshes.Get(id)
	if !ok {
		return mesh.ErrNotHere
	}
	r.mu.Lock()
	one := r.on[id]
	r.mu.Unlock()
	if one == nil {
		return gossip.ErrStopped
	}
	payload, err := m.SealGossip(append([]byte{kind}, body...))
	if err != nil {
		return err
	}
	return one.router.Shout(ctx, payload)
}
