package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	p2phost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/overlay/host/p2p"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Config is what a Host is built from.
type Config struct {
	// Key is the libp2p key of this installation. Required.
	Key crypto.PrivKey

	// Listen holds the addresses to listen on, TCP and QUIC v1; empty means every interface, a free
	// port each. When all of them are loopback addresses nothing else is dialled, accepted or told.
	// QUIC is spoken only if one of them is a QUIC address.
	Listen []ma.Multiaddr

	// PortMap asks the router for a port by UPnP or NAT-PMP. Not done when listening on loopback only.
	PortMap bool

	// Meshes are this node's meshes. Required.
	Meshes Meshes

	// Allow, if set, is asked before dialling a peer and after a connection has proved its peer id;
	// false closes it. It must not block.
	Allow func(peer.ID) bool

	// Limits bound what others can ask of this node.
	Limits Limits

	// PingEvery is how often a proved connection is pinged, 20 s if zero. A connection that answers
	// neither of two pings (10 s each) is closed: so a dead one is noticed after 40 s at the latest, and
	// after 4 s when our own addresses have changed, this machine has woken up or the peer has connected
	// anew.
	PingEvery time.Duration

	// Log gets one line per event. Required.
	Log *slog.Logger
}

// Host is this node on the network. Its methods may be called from any goroutine.
type Host struct {
	cfg      Config
	log      *slog.Logger
	inner    p2phost.Host
	loopback bool // listens on loopback only

	ctx   context.Context // ends with Run
	stop  context.CancelFunc
	ready chan struct{} // closed when listening

	helloRate, strangerRate, streamRate *p2p.Buckets
	hellos, strangers                   chan struct{} // a slot each

	events chan struct{} // wakes the goroutine that tells
	told   map[pair]told // its own: what Mesh and watchers were told last

	mu       sync.Mutex // guards all below
	running  bool
	closed   bool
	wg       sync.WaitGroup // Add under mu, while running
	conns    map[network.Conn]*conn
	to       map[peer.ID][]*conn // the same by who is at the other end
	pairs    map[pair]*pairState
	dirty    []pair // pairs the telling goroutine must look at
	watches  []*watch
	handlers map[handlerKey]*handler
	order    uint64        // of links, ever growing
	changed  chan struct{} // closed and replaced when a connection comes, goes, or settles
	netmoved chan struct{} // closed and replaced when our own addresses change
}

// pair is one peer in one mesh.
type pair struct {
	mesh ident.MeshID
	peer peer.ID
}

// New checks cfg and builds the host. Nothing is listened on, dialled or answered before Run. A host
// that is never run must be closed.
func New(cfg Config) (*Host, error) {
	if cfg.Key == nil || cfg.Meshes == nil || cfg.Log == nil {
		return nil, fmt.Errorf("%w: key, meshes and log are required", ErrConfig)
	}
	if len(cfg.Listen) == 0 {
		cfg.Listen = p2p.AnyInterface()
	}
	cfg.Limits = cfg.Limits.withDefaults()
	def(&cfg.PingEvery, 20*time.Second)
	h := &Host{
		cfg: cfg, log: cfg.Log, loopback: p2p.LoopbackOnly(cfg.Listen),
		ready:        make(chan struct{}),
		helloRate:    p2p.NewBuckets(cfg.Limits.HelloRate, cfg.Limits.HelloBurst),
		strangerRate: p2p.NewBuckets(cfg.Limits.StrangerPerMinute/60, cfg.Limits.StrangerBurst),
		streamRate:   p2p.NewBuckets(cfg.Limits.StreamRate, cfg.Limits.StreamBurst),
		hellos:       make(chan struct{}, cfg.Limits.Hellos),
		strangers:    make(chan struct{}, cfg.Limits.Strangers),
		events:       make(chan struct{}, 1),
		told:         map[pair]told{},
		conns:        map[network.Conn]*conn{},
		to:           map[peer.ID][]*conn{},
		pairs:        map[pair]*pairState{},
		handlers:     map[handlerKey]*handler{},
		changed:      make(chan struct{}),
		netmoved:     make(chan struct{}),
	}
	h.ctx, h.stop = context.WithCancel(context.Background())
	l := cfg.Limits
	inner, err := p2p.New(p2p.Config{
		Key: cfg.Key, Listen: cfg.Listen, PortMap: cfg.PortMap, Allow: cfg.Allow,
		ConnsLow: l.ConnsLow, ConnsHigh: l.ConnsHigh, ConnsPerAddress: l.ConnsPerAddress,
		Streams: protoLimits(),
	})
	if err != nil {
		h.stop()
		return nil, fmt.Errorf("host: build: %w", err)
	}
	h.inner = inner
	return h, nil
}

// Run listens, answers and greets until ctx ends; then it closes every connection and waits for all
// its goroutines and handlers. It runs once.
func (h *Host) Run(ctx context.Context) error {
	addrs, err := h.inner.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
	if err != nil {
		return errors.Join(fmt.Errorf("host: watch addresses: %w", err), h.Close())
	}
	defer addrs.Close()
	h.mu.Lock()
	if h.running || h.closed {
		h.mu.Unlock()
		return ErrStopped
	}
	h.running = true
	h.mu.Unlock()

	// The handlers stand before the first connection can come.
	h.inner.SetStreamHandler(ProtoHello, h.answer)
	h.inner.SetStreamHandler(ProtoMesh, h.accept)
	h.inner.Network().Notify(h.notifiee())
	h.spawn(h.tell)
	h.spawn(h.pings)
	h.spawn(h.watchMachine)
	if err := h.inner.Network().Listen(h.cfg.Listen...); err != nil {
		return errors.Join(fmt.Errorf("host: listen: %w", err), h.Close())
	}
	close(h.ready)
	h.log.Info("listening", "peer", h.ID(), "addrs", h.Addrs())
	for {
		select {
		case <-ctx.Done():
			return h.Close()
		case <-h.ctx.Done():
			return h.Close()
		case <-addrs.Out():
			h.networkChanged()
		}
	}
}

// Close ends Run and waits for what it started; it also frees a host that never ran.
func (h *Host) Close() error {
	h.mu.Lock()
	first := !h.closed
	h.closed, h.running = true, false
	h.mu.Unlock()
	h.stop()
	var err error
	if first {
		err = h.inner.Close() // ends every stream, and so every handler
	}
	h.wg.Wait()
	return err
}

// spawn runs fn as a goroutine Close waits for; false when the host does not run.
func (h *Host) spawn(fn func()) bool {
	if !h.enter() {
		return false
	}
	go func() {
		defer h.wg.Done()
		fn()
	}()
	return true
}

// enter counts the calling goroutine, which must call wg.Done; false when the host does not run.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		return false
	}
	h.wg.Add(1)
	return true
}

// ID is this node's libp2p peer id.
func (h *Host) ID() peer.ID { return h.inner.ID() }

// Ready is closed once the host listens: Addrs is complete then.
func (h *Host) Ready() <-chan struct{} { return h.ready }

// LoopbackOnly reports whether this host listens on loopback addresses alone, and so must not be
// announced anywhere.
func (h *Host) LoopbackOnly() bool { return h.loopback }

// Addrs returns the addresses others can dial, each ending in /p2p/ and our peer id.
func (h *Host) Addrs() []ma.Multiaddr {
	out, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: h.ID(), Addrs: h.inner.Addrs()})
	if err != nil {
		return nil // our own peer id is always encodable
	}
	return out
}

// AddrsOf returns the addresses that are remembered of p, without its peer id: those it was dialled at
// and those that it tells of when it connects, which is waited for until ctx ends. They are the peer's
// own word.
func (h *Host) AddrsOf(ctx context.Context, p peer.ID) []ma.Multiaddr {
	p2p.Identified(ctx, h.inner, p)
	return h.inner.Peerstore().Addrs(p)
}

// LibP2P returns the libp2p host underneath, for discovery alone: who opens streams on it goes around
// the handshake.
func (h *Host) LibP2P() p2phost.Host { return h.inner }

// Changed returns a channel that is closed when next a connection comes, goes or has ended its
// handshake.
func (h *Host) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// NetworkChanged returns a channel that is closed when next our own addresses change, or this machine
// has woken up: what was known of the network may no longer be so.
func (h *Host) NetworkChanged() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.netmoved
}

// Connected reports whether there is a connection to p, proved or not.
func (h *Host) Connected(p peer.ID) bool {
	return h.inner.Network().Connectedness(p) == network.Connected
}

// Connect makes sure there is a connection to info.ID, dialling info.Addrs and what is remembered of
// the peer at once, and waits until the handshake on it has ended. It says nothing about which meshes
// were proved: see Peers. The error of a failed dial wraps ErrOffline.
func (h *Host) Connect(ctx context.Context, info peer.AddrInfo) error {
	if !h.enter() {
		return ErrStopped
	}
	defer h.wg.Done()
	if info.ID == h.ID() {
		return fmt.Errorf("%w: that is this node", ErrConfig)
	}
	if err := p2p.Dial(ctx, h.inner, info); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrOffline, info.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, helloTimeout+syncTimeout)
	defer cancel()
	slow := time.NewTimer(slowGreeting)
	defer slow.Stop()
	for {
		settled, there, wait := h.settled(info.ID)
		if settled {
			return nil
		}
		if !there {
			return fmt.Errorf("%w: %s closed the connection", ErrOffline, info.ID)
		}
		select {
		case <-wait:
		case <-slow.C:
			h.greetInstead(info.ID)
		case <-ctx.Done():
			return fmt.Errorf("host: handshake with %s: %w", info.ID, ctx.Err())
		case <-h.ctx.Done():
			return ErrStopped
		}
	}
}

// greetInstead begins the handshake on connections whose dialler did not.
func (h *Host) greetInstead(p peer.ID) {
	h.mu.Lock()
	var quiet []*conn
	for _, c := range h.to[p] {
		if !c.settled && c.busy == 0 {
			quiet = append(quiet, c)
		}
	}
	h.mu.Unlock()
	for _, c := range quiet {
		h.greetSoon(c)
	}
}

// settled reports whether some connection to p has ended its first handshake, whether there is a
// connection at all, and what to wait for.
func (h *Host) settled(p peer.ID) (settled, there bool, wait <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.to[p] {
		there = true
		settled = settled || c.settled
	}
	return settled, there, h.changed
}

// Disconnect closes every connection to p.
func (h *Host) Disconnect(p peer.ID) error { return h.inner.Network().ClosePeer(p) }

// Peers returns the peers proved in mesh, one entry each.
func (h *Host) Peers(mesh ident.MeshID) []Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Peer
	for k := range h.pairs {
		if k.mesh != mesh {
			continue
		}
		if l := h.bestLink(k); l != nil {
			out = append(out, l.peer)
		}
	}
	slices.SortFunc(out, func(a, b Peer) int { return cmp.Compare(a.Peer, b.Peer) })
	return out
}

// Proved reports whether p is proved in mesh as the member key.
func (h *Host) Proved(mesh ident.MeshID, p peer.ID, key ident.PublicKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.bestLink(pair{mesh, p})
	return l != nil && l.peer.Key == key
}

// Links is how many open links there are to p in mesh: one per proved handshake, usually one per
// connection.
func (h *Host) Links(mesh ident.MeshID, p peer.ID) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, c := range h.to[p] {
		for _, l := range c.links {
			if l.id == mesh && l.state == open {
				n++
			}
		}
	}
	return n
}
