package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/overlay/ask"
	"github.com/claudemesh/claudemesh/overlay/find"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/post"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/file"
)

// schema is the format of the data in the store.
const schema = 1

// Node is one peer. Build it with New; Run makes it live.
type Node struct {
	cfg      Config
	log      *slog.Logger
	db       *store.DB
	host     *host.Host
	net      *network
	meshes   *mesh.Meshes
	book     *record.Book
	presence *presence.Feature
	messages *message.Feature
	shared
	ops     *op.Set
	server  *local.Server
	feed    *feed
	started time.Time
	ready   atomic.Bool
}

// New opens the store and builds all parts; it starts none. A node that is never
// run must be closed.
func New(cfg Config) (_ *Node, err error) {
	cfg, err = cfg.checked()
	if err != nil {
		return nil, err
	}
	if err := file.Dir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("the folder %s: %w", cfg.Dir, err)
	}
	if err := settle(cfg.Dir, cfg.Log); err != nil {
		return nil, err
	}
	if err := Forget(cfg.Dir); err != nil {
		cfg.Log.Warn("what a restore left behind stays", "error", err)
	}
	if err := tighten(cfg.Dir); err != nil {
		return nil, err
	}
	key, err := nodeKey(cfg.Dir)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: cfg.Log, started: cfg.Now()}
	n.db, err = store.Open(store.Config{Path: filepath.Join(cfg.Dir, "node.db"), Schema: schema, Log: cfg.Log, Now: cfg.Now, Fatal: n.fatal})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	addrs, err := steady(n.db, cfg.Listen)
	if err != nil {
		return nil, err
	}
	listen, err := parseAddrs(addrs)
	if err != nil {
		return nil, err
	}
	meshes := &proxy{n: n}
	n.host, err = host.New(host.Config{Key: key, Listen: listen, PortMap: cfg.PortMap, Meshes: meshes, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return n, n.build()
}

// proxy stands in for the meshes while the host is built: each needs the other.
type proxy struct{ n *Node }

// List implements host.Meshes.
func (p *proxy) List() []host.Mesh { return p.n.meshes.List() }

// build makes the parts above the store and the host and ties them together.
func (n *Node) build() (err error) {
	n.net = &network{log: n.log, host: n.host, wake: make(chan struct{}, 1), wanted: make(map[peer.ID]bool), differing: make(map[neighbour]bool)}
	n.net.cache = newPeerCache(n.cfg.Dir, n.cfg.Now, n.log)
	n.meshes, err = mesh.Open(mesh.Config{
		Dir: n.cfg.Dir, DB: n.db, Peer: n.host.ID(), Name: n.cfg.DisplayName, Net: n.net,
		Now: n.cfg.Now, Mono: n.cfg.Mono, Log: n.log, Session: n.memberOf, Keeps: n.keeps, Renewed: n.renewed, Forget: n.forget,
		Took: n.took, Refused: n.refused,
	})
	if err != nil {
		return err
	}
	if err := n.newBook(); err != nil {
		return err
	}
	n.newAudit()
	n.newGate()
	if err := n.newPresence(); err != nil {
		return err
	}
	if err := n.newGrants(); err != nil {
		return err
	}
	if err := n.newMessages(); err != nil {
		return err
	}
	n.newShared()
	if n.ops, err = op.NewSet(n.guard, operations(n.meshes, n.presence, n.messages, &n.shared)...); err != nil {
		return err
	}
	n.openGate()
	n.net.cache.ops = n.ops
	if err := n.connect(); err != nil {
		return err
	}
	n.feed = &feed{db: n.db, presence: n.presence, welcome: n.welcome}
	n.server, err = local.NewServer(local.ServerConfig{
		Socket: local.SocketPath(n.cfg.Dir), Doer: newCounted(n.Ops(), n.ops.Contracts(), n.presence.Count), Feed: n.feed, Authenticate: n.presence.Authenticate,
		Hello: n.hello, Log: n.log,
	})
	return err
}

func (n *Node) newPresence() (err error) {
	n.presence, err = presence.New(presence.Config{
		DB: n.db, Meshes: people{n.meshes, n.names}, Air: n.net, Node: n.host.ID().String(), Mode: n.cfg.Mode, Host: hostName(),
		Now: n.cfg.Now, Mono: n.cfg.Mono, Log: n.log, Alive: alive,
		Gate:    func(id ident.MeshID, session ident.PublicKey) { n.messages.Changed(id, session) },
		Profile: n.profileOf, Records: n.book, Rights: canonical, Regard: regard{n}, Seen: n.arrival, Refused: n.refused,
	})
	return err
}

func (n *Node) newMessages() (err error) {
	met := sessions{n.presence, n.meshes}
	n.messages, err = message.New(message.Config{
		DB: n.db, Sessions: met, Crowd: met, Trust: judge{n.meshes, n.names, n.may}, Mail: n.net, Air: n.net,
		Warn: n.grants.Warning, Accepted: n.accepted, Taken: n.taken, Refused: n.refused,
		Arrived: func(session string) { n.health.Arrived(session) },
		Limits:  n.cfg.Limits, Now: n.cfg.Now, Mono: n.cfg.Mono, Log: n.log,
	})
	return err
}

// connect gives the network its parts and registers them with the host.
func (n *Node) connect() (err error) {
	net := n.net
	net.meshes, net.presence, net.messages, net.membersChanged = n.meshes, n.presence, n.messages, n.membersChanged
	net.post = post.New(post.Config{
		Streams: post.OverHost(n.host, net.home), Keys: keys{judge{n.meshes, n.names, nil}},
		Deliver: n.messages.Deliver, Receipt: n.messages.Receipt, Told: n.messages.Told, Lost: n.messages.Contact, Log: n.log,
		Refused: func(id ident.MeshID, from ident.PublicKey) { n.refused(id, from, "stream") },
	})
	net.post.Register(n.host)
	net.asker = ask.New(ask.Config{Streams: ask.OverHost(n.host, net.home), Answer: answer(n.ops), Log: n.log})
	net.asker.Register(n.host)
	net.syncs.register()
	net.radios = &radios{host: n.host, meshes: n.meshes, hear: net.hear, differ: net.differ, refused: net.refused}
	join.Register(n.host, n.meshes, n.meshes.Codes(), n.log)
	var lan find.LAN
	if n.cfg.MDNS && !n.host.LoopbackOnly() {
		net.lan = newNearby()
		lan = net.lan.watch(find.MDNS(n.host.LibP2P()))
	}
	net.finder, err = find.New(find.Config{Host: n.host, LAN: lan, Log: n.log})
	return err
}

// Run lives until ctx ends or the store fails. Parts start from the store upwards
// and stop in reverse, so that nothing is accepted that could not be kept.
func (n *Node) Run(ctx context.Context) error {
	parts := []part{
		{name: "store", run: n.db.Run, vital: true},
		{name: "start", run: n.start, vital: true},
	}
	err := live(ctx, n.log, parts)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, n.Close())
}

// start writes what each start writes and then runs the rest.
func (n *Node) start(ctx context.Context) error {
	if err := n.meshes.Start(ctx); err != nil {
		return err
	}
	if err := n.presence.Start(ctx); err != nil {
		return err
	}
	if err := n.startBook(ctx); err != nil {
		return err
	}
	if err := n.startShared(ctx); err != nil {
		return err
	}
	return live(ctx, n.log, []part{
		{name: "network", run: n.net.Run, vital: true},
		{name: "host", run: n.host.Run, vital: true},
		{name: "gossip", run: n.net.radios.Run, vital: true},
		{name: "records", run: n.book.Run, vital: true},
		{name: "sync", run: n.net.syncs.Run, vital: true},
		{name: "post", run: n.net.post.Run, vital: true},
		{name: "messages", run: n.messages.Run, vital: true},
		{name: "presence", run: n.presence.Run, vital: true},
		{name: "audit", run: n.audits.Run},
		{name: "state", run: n.states.Run},
		{name: "profiles", run: n.profiles.Run},
		{name: "meshes", run: n.meshes.Run, vital: true},
		{name: "find", run: n.find, vital: true},
		{name: "peer cache", run: n.net.cache.run},
		{name: "addresses", run: n.announce, vital: true},
		{name: "local API", run: n.serve, vital: true},
	})
}

// find looks for the other members' nodes once this one can be found itself.
func (n *Node) find(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.host.Ready():
	}
	if err := keepPorts(ctx, n.db, n.cfg.Listen, n.host.LibP2P().Network().ListenAddresses()); err != nil {
		return err
	}
	n.net.seekAll()
	return n.net.finder.Run(ctx)
}

// announce tells the other members at once when this node's addresses change.
func (n *Node) announce(ctx context.Context) error {
	for {
		changed := n.host.NetworkChanged()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			n.presence.Announce()
		}
	}
}

// serve answers clients once the host listens: what they are told is then true.
func (n *Node) serve(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.host.Ready():
	}
	n.ready.Store(true)
	defer n.ready.Store(false)
	n.log.Info("node ready", "peer", n.host.ID(), "meshes", len(n.meshes.All()), "version", n.cfg.Version)
	return n.server.Run(ctx)
}

// Close frees what New opened. Run calls it.
func (n *Node) Close() error {
	var err error
	if n.host != nil {
		err = n.host.Close()
	}
	if n.db != nil {
		err = errors.Join(err, n.db.Close())
	}
	return err
}

// fatal ends the process: after a failed sync nobody knows what is on disk.
func (n *Node) fatal(err error) {
	n.log.Error("the store failed; the node ends so that nothing is acknowledged that may be lost", "error", err)
}

// hello describes the node to local clients.
func (n *Node) hello() local.Hello {
	h := local.Hello{
		Version: n.cfg.Version, PID: os.Getpid(), Boot: n.presence.Boot(), Ready: n.ready.Load(),
		UptimeMS: n.cfg.Now().Sub(n.started).Milliseconds(),
	}
	if last, lately := n.presence.TwinSeen(); lately {
		h.TwinSeen = last.UTC().Format(time.RFC3339)
	}
	return h
}

// Ops are the node's operations, for callers in this process.
func (n *Node) Ops() op.Doer { return explained{n.gate, n.meshes} }

// welcome greets a session at the beginning of its feed: who it is, who is there,
// what waits.
func (n *Node) welcome(_ context.Context, c op.Caller) (op.Event, bool) {
	all := n.meshes.All()
	if c.Session == "" || len(all) == 0 {
		return op.Event{}, false
	}
	m := all[0]
	own, err := n.presence.Caller(c, m.ID().String())
	if err != nil {
		return op.Event{}, false
	}
	w := op.Welcome{Name: own.Name, Mode: own.Mode, Session: own.Session.String(), Peers: n.presence.Online(m.ID(), own.Session)}
	for _, m := range all {
		own, err := n.presence.Caller(c, m.ID().String())
		if err != nil {
			continue
		}
		unread, unconfirmed, err := n.messages.Greeting(self(own))
		if err != nil {
			n.log.Warn("messages not counted", "mesh", m.ID(), "error", err)
		}
		w.Unread, w.Unconfirmed = w.Unread+unread, w.Unconfirmed+unconfirmed
	}
	data, err := json.Marshal(w)
	if err != nil {
		return op.Event{}, false
	}
	return op.Event{Topic: op.TopicWelcome, Mesh: m.ID().String(), Slug: m.Slug(), Data: data}, true
}

// memberOf finds the member whose session has a name or a key. What has only a part of
// the name is not meant: it is asked for when somebody is removed, promoted or blocked.
func (n *Node) memberOf(id ident.MeshID, session string) (ident.PublicKey, bool) {
	a, err := n.presence.Resolve(id, ident.PublicKey{}, session)
	return a.Member, err == nil && a.Whole(session)
}
