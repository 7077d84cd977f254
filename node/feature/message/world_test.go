package message

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m, 300) }

// virtual runs a test in a bubble of virtual time. The race detector does not bear timers of
// one bubble that fire on two processors at once (golang.org/issue/78156): it gets one.
func virtual(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if raced {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	synctest.Test(t, f)
}

// checker is what both testing.T and rapid.T can do.
type checker interface {
	Helper()
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// world is nodes of one mesh on an in-memory network. It is used inside a bubble
// of testing/synctest.
type world struct {
	t    checker
	dir  string
	mesh ident.MeshID
	// limits and log are those of every node.
	limits Limits
	log    *slog.Logger

	flying sync.WaitGroup // batches under way
	// receipted is called with each receipt that was committed. May be nil.
	receipted func(receipt []byte)

	mu      sync.Mutex // guards what follows
	nodes   []*node
	rng     *rand.Rand
	loss    float64 // of a batch, of a receipt, and of what goes through the air
	deaf    float64 // more loss of what goes through the air
	doubled float64
	shuffle float64
	slow    time.Duration // the longest a batch takes
	cut     bool          // nobody reaches anybody
	removed map[ident.PublicKey]bool
	blocked map[ident.PublicKey]bool
	unknown map[ident.PublicKey]bool // sessions that cannot be judged yet
	revoked map[ident.PublicKey]bool
}

// node is one node and, between its runs, what it has on disk.
type node struct {
	w      *world
	name   string
	member ident.PrivateKey

	mu       sync.Mutex // guards what follows
	sessions []*Self
	groups   map[ident.PublicKey][]string // by session: as in "a/b"
	hidden   map[ident.PublicKey]bool
	closed   map[ident.PublicKey]bool
	other    *Self // in a second mesh

	// of the current run
	db     *store.DB
	f      *Feature
	life   atomic.Pointer[Feature] // f, for other goroutines; nil while down
	cancel func()
	writer sync.WaitGroup // the store's
	over   sync.WaitGroup // the messages'
	up     atomic.Bool
	dead   atomic.Bool  // killed: nothing leaves it any more
	fuse   atomic.Int64 // calls across its border until it is killed; 0: never
	sent   atomic.Int64 // batches handed to the network
	listed func()       // called once after the sessions were listed
}

func newWorld(t checker, dir string, names ...string) *world {
	w := &world{
		t: t, dir: dir, mesh: ident.MeshID{7}, log: slog.New(slog.DiscardHandler), rng: rand.New(rand.NewPCG(1, 2)),
		removed: map[ident.PublicKey]bool{}, blocked: map[ident.PublicKey]bool{},
		unknown: map[ident.PublicKey]bool{}, revoked: map[ident.PublicKey]bool{},
	}
	for i, name := range names {
		n := w.addNode(name, byte(i))
		n.addSession(name)
	}
	return w
}

func (w *world) addNode(name string, seed byte) *node {
	n := &node{
		w: w, name: name, member: ident.PrivateKeyFromSeed([32]byte{seed, 1}), groups: map[ident.PublicKey][]string{},
		hidden: map[ident.PublicKey]bool{}, closed: map[ident.PublicKey]bool{},
	}
	w.nodes = append(w.nodes, n)
	return n
}

// memory is a folder in memory where there is one: these tests are about what is
// committed, not about the disk.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "message-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// start begins all nodes.
func (w *world) start() {
	for _, n := range w.nodes {
		n.start()
	}
}

// stop ends all nodes.
func (w *world) stop() {
	for _, n := range w.nodes {
		n.stop()
	}
	w.flying.Wait()
}

// change changes the world under its lock.
func (w *world) change(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn()
}

func (w *world) node(member ident.PublicKey) *node {
	for _, n := range w.nodes {
		if n.member.Public() == member {
			return n
		}
	}
	return nil
}

// addSession opens an idle session in push mode.
func (n *node) addSession(name string) *Self {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := ident.PrivateKeyFromSeed([32]byte{byte(len(n.sessions)), 2, n.member.Public()[0], n.member.Public()[1]})
	s := &Self{
		Mesh: n.w.mesh, Slug: "team", Member: n.member.Public(), Session: key.Public(), Key: key,
		Attest: []byte("attest " + name), Name: name, ID: fmt.Sprintf("%s-%d", n.name, len(n.sessions)),
		Attached: true, Status: "idle", Mode: "push", LastActive: time.Now(),
	}
	n.sessions = append(n.sessions, s)
	return s
}

// set changes a session's inputs of the gate.
func (n *node) set(s *Self, change func(*Self)) {
	n.mu.Lock()
	change(s)
	n.mu.Unlock()
	if n.up.Load() {
		n.f.Changed(n.w.mesh, s.Session)
	}
}

func (n *node) start() {
	n.w.t.Helper()
	db, err := store.Open(store.Config{Path: filepath.Join(n.w.dir, n.name+".db"), Schema: 1, Log: n.w.log})
	if err != nil {
		n.w.t.Fatalf("open the store of %s: %v", n.name, err)
	}
	began := time.Now()
	n.dead.Store(false)
	n.fuse.Store(0)
	n.db = db
	n.f, err = New(Config{
		DB: db, Sessions: n, Crowd: n, Trust: n, Mail: n, Air: n, Limits: n.w.limits, Log: n.w.log,
		Now: time.Now, Mono: func() time.Duration { return time.Since(began) },
		Jitter: func() float64 { return 1 },
	})
	if err != nil {
		n.w.t.Fatalf("start %s: %v", n.name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.writer.Go(func() { _ = db.Run(context.Background()) })
	n.over.Go(func() {
		if err := n.f.Run(ctx); ctx.Err() == nil && !n.dead.Load() {
			n.w.t.Logf("%s ended: %v", n.name, err)
		}
	})
	n.life.Store(n.f)
	n.up.Store(true)
	n.w.contact()
}

// contact tells every node that the others are there.
func (w *world) contact() {
	for _, n := range w.nodes {
		for _, o := range w.nodes {
			if n != o && n.up.Load() && o.up.Load() {
				n.f.Contact(w.mesh, o.member.Public())
			}
		}
	}
}

// stop ends a run; what is on disk stays.
func (n *node) stop() {
	if !n.up.Swap(false) {
		return
	}
	n.life.Store(nil)
	n.cancel()
	n.over.Wait()
	if err := n.db.Close(); err != nil {
		n.w.t.Fatalf("close the store of %s: %v", n.name, err)
	}
	n.writer.Wait()
}

// step is called wherever the node's messages touch the world outside the store.
// It reports whether the node still lives.
func (n *node) step() bool {
	if n.fuse.Load() > 0 && n.fuse.Add(-1) == 0 {
		n.dead.Store(true)
	}
	return !n.dead.Load()
}

var errKilled = errors.New("killed")
