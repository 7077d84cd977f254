package node

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ask"
	"github.com/claudemesh/claudemesh/overlay/find"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/post"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
)

// network is how the parts of a node use the overlay: it implements mesh.Net,
// presence.Air and message.Mail, and passes on what the overlay hears.
type network struct {
	log    *slog.Logger
	host   *host.Host
	finder *find.Finder
	post   *post.Post
	asker  *ask.Asker
	radios *radios
	syncs  *syncs
	// deliveries are the members' delivery keys as records.
	deliveries *deliveries
	meshes     *mesh.Meshes
	presence   *presence.Feature
	messages   *message.Feature
	// membersChanged is called when members or their keys may be others.
	membersChanged func(context.Context, ident.MeshID)
	audits         *audit.Feature
	cache          *peerCache
	lan            *nearby // nil: nobody is looked for there

	wake chan struct{}

	mu     sync.Mutex // guards what follows
	life   context.Context
	events []func(context.Context)
	wanted map[peer.ID]bool // whom the finder keeps connected
	// differing are the exchanges of admin logs under way, and whether each is to run
	// once more.
	differing map[neighbour]bool
	// shouted are the heads that somebody else shouted last in a mesh.
	shouted map[ident.MeshID][]ident.ID
	wg      sync.WaitGroup
}

const (
	// meetFor is how long meeting one peer may take.
	meetFor = 30 * time.Second
	// maxCardAddrs is how many addresses of a node a beacon takes.
	maxCardAddrs = 16
)

// later has fn run by the network's own goroutine, in order: callbacks of the host
// may not wait for the host.
func (n *network) later(fn func(context.Context)) {
	n.mu.Lock()
	n.events = append(n.events, fn)
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// spawn runs fn beside, while the network lives; Run waits for it.
func (n *network) spawn(fn func(context.Context)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if life := n.life; life != nil {
		n.wg.Go(func() { fn(life) })
	}
}

// Run passes events on until ctx ends.
func (n *network) Run(ctx context.Context) error {
	n.mu.Lock()
	n.life = ctx
	n.mu.Unlock()
	for ctx.Err() == nil {
		n.mu.Lock()
		events := n.events
		n.events = nil
		n.mu.Unlock()
		for _, fn := range events {
			fn(ctx)
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-n.wake:
		}
	}
	n.mu.Lock()
	n.life = nil
	n.mu.Unlock()
	n.wg.Wait()
	return ctx.Err()
}

// Proved implements mesh.Net: mail first, then the roster.
func (n *network) Proved(p host.Peer) {
	n.later(func(context.Context) {
		n.log.Info("member connected", "mesh", p.Mesh, "member", p.Key, "peer", p.Peer)
		n.connected(p, "member_connected")
		n.messages.Contact(p.Mesh, p.Key)
		n.syncs.met(p)
		n.spawn(func(ctx context.Context) { n.meet(ctx, p) })
	})
}

// meet learns who is there from a node that has just connected.
func (n *network) meet(ctx context.Context, p host.Peer) {
	ctx, cancel := context.WithTimeout(ctx, meetFor)
	defer cancel()
	n.locate(ctx, p)
	if err := n.presence.Meet(ctx, p.Mesh, p.Key); err != nil {
		n.log.Debug("roster not given", "mesh", p.Mesh, "member", p.Key, "error", err)
	}
}

// locate remembers where a member is by what its connection tells, until the member says
// it in a beacon: whoever stops or is backed up before that must find it again.
func (n *network) locate(ctx context.Context, p host.Peer) {
	m, ok := n.meshes.Get(p.Mesh)
	if !ok || len(m.Homes()[p.Peer]) > 0 {
		return
	}
	known := n.host.AddrsOf(ctx, p.Peer)
	addrs := make([]string, 0, min(len(known), maxCardAddrs))
	for _, a := range known[:cap(addrs)] {
		addrs = append(addrs, a.String())
	}
	n.later(func(context.Context) {
		if len(m.Homes()[p.Peer]) == 0 {
			m.Met(p.Key, nil, addrs)
		}
	})
}

// Lost implements mesh.Net.
func (n *network) Lost(p host.Peer) {
	n.later(func(context.Context) {
		n.log.Info("member disconnected", "mesh", p.Mesh, "member", p.Key, "peer", p.Peer)
		n.connected(p, "member_disconnected")
		n.seek(p.Mesh)
	})
}

// Changed implements mesh.Net.
func (n *network) Changed(id ident.MeshID, gone []ident.PublicKey) {
	if err := n.radios.follow(); err != nil {
		n.log.Error("gossip not started", "mesh", id, "error", err)
	}
	for _, key := range gone {
		n.host.Drop(id, key)
	}
	n.post.Renew(id)
	n.host.Reprove()
	n.seek(id)
	n.audits.Follow()
	n.later(func(ctx context.Context) {
		if err := n.presence.Refresh(ctx); err != nil && ctx.Err() == nil {
			n.log.Error("sessions not refreshed", "mesh", id, "error", err)
		}
		n.membersChanged(ctx, id)
		n.shoutHeads(ctx, id)
		n.syncs.follow(id)
	})
}

// Entered implements mesh.Net.
func (n *network) Entered(ctx context.Context, id ident.MeshID) {
	if err := n.presence.Refresh(ctx); err != nil && ctx.Err() == nil {
		n.log.Error("sessions not refreshed", "mesh", id, "error", err)
	}
}

// Tell implements mesh.Net.
func (n *network) Tell(ctx context.Context, id ident.MeshID) int {
	peers := n.host.Peers(id)
	told := make(chan bool, len(peers))
	for _, p := range peers {
		go func() { told <- n.host.Sync(ctx, id, p.Peer) == nil }()
	}
	count := 0
	for range peers {
		if <-told {
			count++
		}
	}
	return count
}

// Near implements mesh.Net.
func (n *network) Near(id ident.MeshID) map[ident.PublicKey]op.Doer {
	out := make(map[ident.PublicKey]op.Doer)
	for _, p := range n.host.Peers(id) {
		out[p.Key] = remote{n.asker, id, p.Key}
	}
	return out
}

// Cut implements mesh.Net.
func (n *network) Cut(id ident.MeshID, which func(ident.PublicKey) bool) int {
	count := 0
	for _, p := range n.host.Peers(id) {
		if !which(p.Key) {
			continue
		}
		if err := n.host.Disconnect(p.Peer); err != nil {
			n.log.Debug("connection not closed", "mesh", id, "peer", p.Peer, "error", err)
		}
		count++
	}
	return count
}

// Addrs implements mesh.Net.
func (n *network) Addrs() []string {
	var out []string
	for _, a := range n.host.Addrs() {
		out = append(out, a.String())
	}
	return out
}

// Join implements mesh.Net.
func (n *network) Join(ctx context.Context, link invite.Link, who join.Applicant) (join.Admission, error) {
	return join.Join(ctx, join.OverHost(n.host), link, who)
}
