package node

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ask"
	"github.com/claudemesh/claudemesh/overlay/find"
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/post"
	"github.com/claudemesh/claudemesh/overlay/trust"
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
	if err := n.presence.Meet(ctx, p.Mesh, p.Key); err != nil {
		n.log.Debug("roster not given", "mesh", p.Mesh, "member", p.Key, "error", err)
	}
	n.later(func(context.Context) { n.locate(p) })
}

// locate remembers where a member is by what its connection tells, until the member says
// it in a beacon: whoever stops or is backed up before that must find it again.
func (n *network) locate(p host.Peer) {
	m, ok := n.meshes.Get(p.Mesh)
	if !ok || len(m.Homes()[p.Peer]) > 0 {
		return
	}
	known := n.host.AddrsOf(p.Peer)
	addrs := make([]string, 0, min(len(known), maxCardAddrs))
	for _, a := range known[:cap(addrs)] {
		addrs = append(addrs, a.String())
	}
	m.Met(p.Key, nil, addrs)
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

// shoutHeads tells the members connected now what the admin log's heads are, unless
// they have heard just that: whoever learns of a change by a shout need not repeat it.
func (n *network) shoutHeads(ctx context.Context, id ident.MeshID) {
	m, ok := n.meshes.Get(id)
	if !ok {
		return
	}
	heads := m.Heads()
	n.mu.Lock()
	heard := sameIDs(n.shouted[id], heads)
	n.mu.Unlock()
	if heard {
		return
	}
	var body []byte
	for _, h := range heads {
		body = append(body, h[:]...)
	}
	if err := n.radios.say(ctx, id, sayHeads, body); err != nil && ctx.Err() == nil {
		n.log.Debug("heads not shouted", "mesh", id, "error", err)
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

// hear judges a gossip payload.
func (n *network) hear(ctx context.Context, m *mesh.Mesh, from peer.ID, kind byte, body []byte) gossip.Verdict {
	switch kind {
	case sayBeacon:
		return n.hearBeacon(ctx, m, body)
	case sayHeads:
		return n.hearHeads(m, from, body)
	case sayRecord:
		return n.syncs.hear(ctx, m, from, body)
	case sayLetter:
		return n.hearLetter(m, body)
	default:
		return gossip.Ignore // of a newer version
	}
}

// refused notes that a neighbour's node gave what honest ones pass on to nobody. Whose
// name is on it may be anybody's.
func (n *network) refused(id ident.MeshID, from peer.ID, what string) {
	var who ident.PublicKey
	for _, p := range n.host.Peers(id) {
		if p.Peer == from {
			who = p.Key
		}
	}
	n.audits.Refused(id, who, what)
}

func (n *network) hearBeacon(ctx context.Context, m *mesh.Mesh, body []byte) gossip.Verdict {
	const size = len(ident.PublicKey{})
	if len(body) < size {
		return gossip.Reject
	}
	member, err := ident.ParsePublicKey(body[:size])
	if err != nil {
		return gossip.Reject
	}
	if _, ok := m.State().Member(member); !ok {
		return gossip.Ignore // our admin log may lag behind, or that of whoever passed it on
	}
	raw := append([]byte(nil), body[size:]...)
	defer n.cache.changed()
	err = n.presence.Hear(ctx, m.ID(), member, raw, 0)
	switch {
	case err == nil:
		return gossip.Accept
	case errors.Is(err, presence.ErrFalse):
		n.log.Debug("beacon refused", "mesh", m.ID(), "member", member, "error", err)
		return gossip.Reject
	}
	return gossip.Ignore // it is known, else an old one could be sent around again and again; or not kept here
}

func (n *network) hearLetter(m *mesh.Mesh, body []byte) gossip.Verdict {
	err := n.messages.Hear(m.ID(), append([]byte(nil), body...))
	switch {
	case err == nil:
		return gossip.Accept
	case errors.Is(err, message.ErrLater):
		return gossip.Ignore
	}
	n.log.Debug("message to many refused", "mesh", m.ID(), "error", err)
	return gossip.Reject
}

func (n *network) hearHeads(m *mesh.Mesh, from peer.ID, body []byte) gossip.Verdict {
	heads, ok := splitIDs(body)
	if !ok {
		return gossip.Reject
	}
	n.mu.Lock()
	if n.shouted == nil {
		n.shouted = make(map[ident.MeshID][]ident.ID)
	}
	n.shouted[m.ID()] = heads
	n.mu.Unlock()
	if m.Lacks(heads) {
		n.differ(m.ID(), from)
	}
	return gossip.Accept
}

// sameIDs tells whether two lists hold the same ids, in any order.
func sameIDs(a, b []ident.ID) bool {
	for _, id := range a {
		if !slices.Contains(b, id) {
			return false
		}
	}
	return len(a) == len(b)
}

// splitIDs reads ids one behind the other.
func splitIDs(body []byte) ([]ident.ID, bool) {
	const size, most = len(ident.ID{}), trust.MaxParents
	if len(body)%size != 0 || len(body)/size > most {
		return nil, false
	}
	out := make([]ident.ID, 0, len(body)/size)
	for ; len(body) > 0; body = body[size:] {
		out = append(out, ident.ID(body[:size]))
	}
	return out, true
}

// neighbour is one end of an exchange of admin logs.
type neighbour struct {
	mesh ident.MeshID
	peer peer.ID
}

// differ exchanges admin logs with a neighbour whose log is not ours. While that
// goes on, further hints make it run once more, however many there are.
func (n *network) differ(id ident.MeshID, from peer.ID) {
	with := neighbour{id, from}
	n.mu.Lock()
	_, runs := n.differing[with]
	lives := n.life != nil
	if lives {
		n.differing[with] = runs
	}
	n.mu.Unlock()
	if runs || !lives {
		return
	}
	n.spawn(func(ctx context.Context) {
		for n.exchange(ctx, with) {
		}
	})
}

// exchange runs one exchange of admin logs and tells whether another was asked for
// meanwhile.
func (n *network) exchange(ctx context.Context, with neighbour) (again bool) {
	ctx, cancel := context.WithTimeout(ctx, meetFor)
	defer cancel()
	if err := n.host.Sync(ctx, with.mesh, with.peer); err != nil {
		n.log.Debug("admin log not exchanged", "mesh", with.mesh, "peer", with.peer, "error", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if again = n.differing[with] && n.life != nil; again {
		n.differing[with] = false
	} else {
		delete(n.differing, with)
	}
	return again
}

// Shout implements presence.Air.
func (n *network) Shout(ctx context.Context, id ident.MeshID, beacon []byte) {
	n.cache.changed()
	m, ok := n.meshes.Get(id)
	if !ok {
		return
	}
	self := m.Self()
	if err := n.radios.say(ctx, id, sayBeacon, append(self[:], beacon...)); err != nil && ctx.Err() == nil {
		n.log.Debug("beacon not shouted", "mesh", id, "error", err)
	}
}

// Roster implements presence.Air.
func (n *network) Roster(ctx context.Context, id ident.MeshID, member ident.PublicKey) (presence.RosterResponse, error) {
	return presence.Roster.Call(ctx, remote{n.asker, id, member}, op.Caller{}, presence.RosterRequest{})
}

// Path implements presence.Air. A connection on which membership is not proved yet
// leads nowhere.
func (n *network) Path(id ident.MeshID, member ident.PublicKey) (string, time.Duration) {
	home, known := n.home(id, member)
	if !known || !n.host.Proved(id, home, member) {
		return "unreachable", 0
	}
	path, ok := n.host.Path(home)
	if !ok {
		return "unreachable", 0
	}
	return path.Kind.String(), path.RTT
}

// Card implements presence.Air.
func (n *network) Card(id ident.MeshID) roster.Node {
	m, ok := n.meshes.Get(id)
	if !ok {
		return roster.Node{}
	}
	addrs := n.Addrs()
	return roster.Node{Bind: m.Bind(), Addrs: addrs[:min(len(addrs), maxCardAddrs)], Heads: m.Heads()}
}

// Met implements presence.Air.
func (n *network) Met(id ident.MeshID, member ident.PublicKey, card roster.Node) {
	m, ok := n.meshes.Get(id)
	if !ok {
		return
	}
	n.later(func(context.Context) {
		if m.Met(member, card.Bind, card.Addrs) {
			n.seek(id)
		}
		if home, ok := n.home(id, member); ok && m.Lacks(card.Heads) {
			n.differ(id, home)
		}
	})
}

// Cry implements message.Air.
func (n *network) Cry(ctx context.Context, id ident.MeshID, raw []byte) error {
	return n.radios.say(ctx, id, sayLetter, raw)
}

// Send implements message.Mail.
func (n *network) Send(ctx context.Context, id ident.MeshID, to ident.PublicKey, letters [][]byte) error {
	return unreachable(n.post.Send(ctx, id, to, letters...))
}

// home is the node of a member.
func (n *network) home(id ident.MeshID, member ident.PublicKey) (peer.ID, bool) {
	m, ok := n.meshes.Get(id)
	if !ok {
		return "", false
	}
	return m.Home(member)
}

// unreachable puts a failed post into the message feature's words.
func unreachable(err error) error {
	if errors.Is(err, post.ErrUnreachable) || errors.Is(err, post.ErrStopped) {
		return errors.Join(message.ErrUnreachable, err)
	}
	return err
}

// remote performs operations at another member's home.
type remote struct {
	asker  *ask.Asker
	mesh   ident.MeshID
	member ident.PublicKey
}

// Do implements op.Doer.
func (r remote) Do(ctx context.Context, _ op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	out, err := r.asker.Ask(ctx, r.mesh, r.member, id, in)
	var told *ask.Error
	if errors.As(err, &told) {
		return nil, &op.Error{Code: op.Code(told.Code), Message: told.Message, Hint: told.Hint}
	}
	return out, err
}

// answer performs an operation that another member's node asks for.
func answer(set *op.Set) func(context.Context, ident.MeshID, ident.PublicKey, string, []byte) ([]byte, error) {
	return func(ctx context.Context, id ident.MeshID, from ident.PublicKey, name string, in []byte) ([]byte, error) {
		out, err := set.Do(ctx, op.Caller{Member: from.String(), Mesh: id.String()}, name, in)
		if err == nil {
			return out, nil
		}
		e := op.AsError(err)
		return nil, &ask.Error{Code: string(e.Code), Message: e.Message, Hint: e.Hint}
	}
}
