package week

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// meshID is the one mesh there is.
var meshID = ident.MeshID{7}

const loss = 0.05 // of beacons, each way

// world is the nodes of a mesh and the network between them.
type world struct {
	t      *testing.T
	began  time.Time
	nodes  []*node
	agents sync.WaitGroup
	end    chan struct{}
	close  func() // ends everything

	mu     sync.Mutex // guards what follows
	random *rand.Rand // of the network
	apart  map[[2]*node]bool
	proofs map[ident.PublicKey]trust.Attest // attestations seen, newest of each session
	fresh  int                              // how often a session's attestation was another one
	faults map[string]int
}

// node is one member's node, which may be down.
type node struct {
	*world
	name  string
	key   ident.PrivateKey
	path  string
	inbox chan heard
	seen  *sightings

	mu       sync.Mutex // guards what follows
	skew     time.Duration
	told     map[string]int // events that its agents were told, by their kind
	attested uint64
	life     *life         // nil while it is down
	changed  chan struct{} // closed at the next change of life
}

// life is one run of a node.
type life struct {
	presence *presence.Feature
	ops      *op.Set
	ctx      context.Context
	run      func(what string, fn func(context.Context) error)
	stop     func()
}

// heard is a beacon on its way.
type heard struct {
	member ident.PublicKey
	raw    []byte
}

func newWorld(t *testing.T, seed uint64, nodes, agents int) *world {
	t.Helper()
	w := &world{
		t: t, began: time.Now(), end: make(chan struct{}), random: rand.New(rand.NewPCG(seed, 1)),
		apart: make(map[[2]*node]bool), proofs: make(map[ident.PublicKey]trust.Attest), faults: make(map[string]int),
	}
	w.close = sync.OnceFunc(func() {
		close(w.end)
		for _, n := range w.nodes {
			n.down()
		}
		w.agents.Wait()
	})
	t.Cleanup(func() {
		w.close()
		for what, times := range w.faults {
			t.Errorf("%d times: %s", times, what)
		}
	})
	for i := range nodes {
		key, err := ident.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		w.nodes = append(w.nodes, &node{
			world: w, name: fmt.Sprintf("n%d", i), key: key, path: filepath.Join(t.TempDir(), "db"),
			inbox: make(chan heard, 256), seen: newSightings(), changed: make(chan struct{}),
			told: make(map[string]int),
		})
	}
	for _, n := range w.nodes {
		n.up()
		for i := range agents {
			w.agents.Go(func() { n.agent(fmt.Sprintf("%s-agent-%d", n.name, i)) })
		}
		w.agents.Go(n.watch)
	}
	return w
}

// fault notes something that must not be, with how often it was.
func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[fmt.Sprintf(format, args...)]++
}

// part takes the connection between two nodes away, or gives it back.
func (w *world) part(a, b *node, apart bool) {
	w.mu.Lock()
	w.apart[[2]*node{a, b}], w.apart[[2]*node{b, a}] = apart, apart
	w.mu.Unlock()
	if !apart {
		a.meet(b)
		b.meet(a)
	}
}

// lost decides what becomes of a beacon.
func (w *world) lost(from, to *node) (lost bool, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delay = time.Millisecond + time.Duration(w.random.Int64N(int64(50*time.Millisecond)))
	return w.random.Float64() < loss || w.apart[[2]*node{from, to}], delay
}

func (w *world) connected(a, b *node) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.apart[[2]*node{a, b}]
}

func (w *world) of(member ident.PublicKey) *node {
	for _, n := range w.nodes {
		if n.key.Public() == member {
			return n
		}
	}
	return nil
}

// now is what this node's clock shows.
func (n *node) now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Add(n.skew)
}

// jump sets the clock.
func (n *node) jump(by time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.skew += by
}

// runs is the node's run, nil while it is down, and what is closed at its end.
func (n *node) runs() (*life, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life, n.changed
}

func (n *node) become(l *life) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.life = l
	close(n.changed)
	n.changed = make(chan struct{})
}

// up starts the node on what is on its disk.
func (n *node) up() {
	db, err := store.Open(store.Config{Path: n.path, Schema: 1})
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	began := time.Now()
	f, err := presence.New(presence.Config{
		DB: db, Meshes: n, Air: n, Node: n.name, Host: n.name, Log: slog.New(slog.DiscardHandler),
		Now: n.now, Mono: func() time.Duration { return time.Since(began) },
		Gate: func(ident.MeshID, ident.PublicKey) {},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	ops := optest.Set(n.t, f.Ops()...)
	var parts sync.WaitGroup
	run := func(what string, fn func(context.Context) error) {
		parts.Go(func() {
			if err := fn(ctx); err != nil && ctx.Err() == nil {
				n.fault("%s: %s: %v", n.name, what, err)
			}
		})
	}
	run("store", db.Run)
	if err := f.Start(ctx); err != nil {
		n.t.Fatal(err)
	}
	l := &life{presence: f, ops: ops, ctx: ctx, run: run}
	l.stop = func() {
		cancel()
		parts.Wait()
		if err := db.Close(); err != nil {
			n.t.Errorf("close the store of %s: %v", n.name, err)
		}
	}
	n.become(l)
	run("presence", f.Run)
	run("network", func(ctx context.Context) error { return n.listen(ctx, f) })
	for _, other := range n.nodes {
		if other != n {
			parts.Go(func() { n.meet(other); other.meet(n) })
		}
	}
}

// down ends the node's run without a goodbye.
func (n *node) down() {
	l, _ := n.runs()
	if l == nil {
		return
	}
	n.become(nil)
	l.stop()
}

// listen takes what comes from the network.
func (n *node) listen(ctx context.Context, f *presence.Feature) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case h := <-n.inbox:
			if err := f.Hear(ctx, meshID, h.member, h.raw, 0); err != nil && !errors.Is(err, presence.ErrKnown) && ctx.Err() == nil {
				n.fault("%s refuses a beacon of %s: %v", n.name, n.of(h.member).name, err)
			}
		}
	}
}

// meet is what happens when two nodes connect: one asks the other for all it knows.
func (n *node) meet(other *node) {
	l, _ := n.runs()
	if l == nil || !n.connected(n, other) {
		return
	}
	err := l.presence.Meet(l.ctx, meshID, other.key.Public())
	if err != nil && l.ctx.Err() == nil && !errors.Is(err, errDown) {
		n.fault("%s meets %s: %v", n.name, other.name, err)
	}
}

var errDown = errors.New("nobody is there")

// Shout implements presence.Air.
func (n *node) Shout(_ context.Context, _ ident.MeshID, raw []byte) {
	n.judge(raw)
	for _, other := range n.nodes {
		if other == n {
			continue
		}
		lost, delay := n.lost(n, other)
		if lost {
			continue
		}
		time.AfterFunc(delay, func() {
			select {
			case other.inbox <- heard{n.key.Public(), raw}:
			default: // it is down
			}
		})
	}
}

// Roster implements presence.Air.
func (n *node) Roster(ctx context.Context, id ident.MeshID, member ident.PublicKey) (presence.RosterResponse, error) {
	l, _ := n.of(member).runs()
	if l == nil || !n.connected(n, n.of(member)) {
		return presence.RosterResponse{}, errDown
	}
	return presence.Roster.Call(ctx, l.ops, op.Caller{Member: n.key.Public().String(), Mesh: id.String()}, presence.RosterRequest{})
}

// Path, Card and Met implement presence.Air.
func (n *node) Path(ident.MeshID, ident.PublicKey) (string, time.Duration) {
	return "local", time.Millisecond
}
func (n *node) Card(ident.MeshID) roster.Node                  { return roster.Node{} }
func (n *node) Met(ident.MeshID, ident.PublicKey, roster.Node) {}

// List implements presence.Meshes.
func (n *node) List() []presence.Mesh {
	return []presence.Mesh{{ID: meshID, Slug: "week", Self: n.key.Public(), Name: n.name, Role: "member"}}
}

// Members implements presence.Meshes.
func (n *node) Members(ident.MeshID) []presence.Member {
	var out []presence.Member
	for _, one := range n.nodes {
		out = append(out, presence.Member{Key: one.key.Public(), Name: one.name, Role: "member"})
	}
	return out
}

// Attest implements presence.Meshes as a node does it: from an hour ago for as long
// as an attestation may last, by this node's clock.
func (n *node) Attest(_ ident.MeshID, session ident.PublicKey, name, _ string) ([]byte, time.Time, error) {
	now := n.now()
	n.mu.Lock()
	n.attested = max(n.attested+1, uint64(now.UnixMilli()))
	seq := n.attested
	n.mu.Unlock()
	from := now.Add(-time.Hour)
	until := from.Add(trust.MaxAttest)
	stmt := trust.SignAttest(meshID, n.key, trust.Attest{
		Session: session, Name: name, Rights: trust.AllRights, From: from, Until: until, Seq: seq,
	})
	return stmt.Marshal(), until, nil
}

// Vouched implements presence.Meshes.
func (n *node) Vouched(_ ident.MeshID, member ident.PublicKey, raw []byte, at time.Time) (ident.PublicKey, string, error) {
	a, err := n.check(raw)
	if err == nil && a.Member != member {
		err = errors.New("vouched for by another")
	}
	if err == nil {
		err = a.Allows(at, 0)
	}
	return a.Session, a.Name, err
}

// SignBeacon implements presence.Meshes.
func (n *node) SignBeacon(_ ident.MeshID, body []byte) ([]byte, error) {
	return ident.Sign(ident.KindBeacon, meshID, body, n.key).Marshal(), nil
}
