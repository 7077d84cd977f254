package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/store"
)

// tester is testing.TB or *rapid.T.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// world is one mesh whose admin log the first member, its owner, writes.
type world struct {
	t     tester
	dir   string
	owner *node
	nodes []*node
	now   time.Time
}

// node is one member's machine: its own copy of the log, its store, its book.
type node struct {
	w    *world
	name string
	seed ident.Seed
	path string
	skew time.Duration

	log    *trust.Log
	ring   *trust.Keyring
	checks atomic.Int64 // values of state that were judged

	db   *store.DB
	book *Book
	stop func()

	bounded bool // state has a bound

	mu       sync.Mutex // guards what follows
	gen      uint64
	changes  []Change
	followed int
	shouted  [][]byte
}

// kinds of the tests: a register, one with a bound, one that admins write, keys that
// only their owner writes.
func (n *node) kinds() []Kind {
	note := func(_ *store.Tx, c Change) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.changes = append(n.changes, c)
		return nil
	}
	followed := func(ident.MeshID) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.followed++
	}
	most := 0
	if n.bounded {
		most = 2
	}
	return []Kind{
		{Name: "state", Most: most, Newest: true, Changed: note, Followed: followed, Check: func(v []byte) error {
			n.checks.Add(1)
			if string(v) == "bad" {
				return errors.New("not this")
			}
			return nil
		}},
		{Name: "few", Changed: note, Most: 3},
		{Name: "new", Changed: note, Most: 3, Newest: true},
		{Name: "ruled", Changed: note, Writes: func(_ ident.MeshID, a ident.PublicKey, _ string) bool {
			return n.log.State().Role(a) == trust.RoleAdmin
		}},
		{Name: "own", Changed: note, Writes: func(_ ident.MeshID, a ident.PublicKey, key string) bool { return a.String() == key }},
	}
}

// newWorld founds a mesh. cleanup runs what ends it.
func newWorld(t tester, dir string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	w.owner = w.member("owner")
	genesis, err := trust.CreateGenesis(w.owner.seed, "team", "owner", w.now, [32]byte{0xee})
	w.must(err)
	w.owner.log, err = trust.NewLog(genesis)
	w.must(err)
	w.owner.ring = trust.NewKeyring()
	w.must(w.owner.ring.Put(w.owner.log, genesis.ID(), [32]byte{0xee}))
	w.owner.start()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

func (w *world) id() ident.MeshID { return w.owner.log.Mesh() }

// end stops all nodes.
func (w *world) end() {
	for _, n := range w.nodes {
		n.halt()
	}
}

func (w *world) member(name string) *node {
	seed := ident.Seed{byte(len(w.nodes) + 1), 7}
	dir, err := os.MkdirTemp(w.dir, name)
	w.must(err)
	n := &node{w: w, name: name, seed: seed, path: filepath.Join(dir, "node.db"), gen: 1}
	w.nodes = append(w.nodes, n)
	return n
}

// admit takes somebody in by the owner and starts its node.
func (w *world) admit(name string) *node {
	w.t.Helper()
	n := w.member(name)
	w.let(n)
	n.copyLog(w.owner)
	n.start()
	return n
}

// let writes the entries that admit a member.
func (w *world) let(n *node) {
	w.t.Helper()
	key := ident.PrivateKeyFromSeed([32]byte{0xff, n.seed[0]})
	o := w.owner
	inv, err := o.log.SignInvite(o.seed.Member(), trust.Invite{Key: key.Public(), Role: trust.RoleMember, Uses: 1, Admitter: o.key()}, w.now)
	w.must(err)
	w.add(inv)
	claim := trust.SignClaim(w.id(), n.seed, key, trust.Claim{Invite: inv.ID(), Peer: []byte("peer-" + n.name), Name: n.name})
	admit, err := o.log.SignAdmit(o.seed.Member(), trust.Admit{Claim: claim, Name: n.name, Invite: inv.ID()}, w.now)
	w.must(err)
	w.add(admit)
}

func (w *world) add(e trust.Entry) {
	w.t.Helper()
	_, err := w.owner.log.Add(e)
	w.must(err)
}

// remove takes a member out; what the owner holds of it goes on to count. Others learn
// of it by hear.
func (w *world) remove(n *node) {
	w.t.Helper()
	o := w.owner
	lists, err := o.book.Keeps(w.id(), []ident.PublicKey{n.key()})
	w.must(err)
	key := [32]byte{0xaa, byte(o.log.Len())}
	what := trust.Removal{Targets: []trust.Principal{trust.Principal(n.key())}, Key: key, Lists: map[trust.Principal][]byte{}}
	if lists[0] != nil {
		what.Lists[trust.Principal(n.key())] = lists[0]
	}
	e, err := o.log.SignRemove(o.seed.Member(), what, o.ring, w.now)
	w.must(err)
	w.add(e)
	w.must(o.ring.Put(o.log, e.ID(), key))
	o.follow()
}

// rekey begins an epoch.
func (w *world) rekey() {
	w.t.Helper()
	o := w.owner
	key := [32]byte{0xbb, byte(o.log.Len())}
	e, err := o.log.SignEpoch(o.seed.Member(), key, o.ring, w.now)
	w.must(err)
	w.add(e)
	w.must(o.ring.Put(o.log, e.ID(), key))
	o.follow()
}

func (n *node) key() ident.PublicKey { return n.seed.Member().Public() }

// copyLog gives n a log of its own with what another holds, and epoch 0's key.
func (n *node) copyLog(from *node) {
	n.w.t.Helper()
	var err error
	n.log, err = trust.LoadLog(from.log.Entries())
	n.w.must(err)
	n.ring = trust.NewKeyring()
	n.pull(from)
}

// pull gives n the keys another has, as a welcome and a pull do, and those they give.
func (n *node) pull(from *node) {
	for id, key := range from.ring.Keys() {
		n.w.must(n.ring.Put(n.log, id, key))
	}
	n.ring.Unlock(n.log, n.key(), n.seed.Seal())
}

// hear takes over another's admin log, with the keys it has if wanted.
func (n *node) hear(from *node, keys bool) {
	n.w.t.Helper()
	for _, e := range from.log.Entries()[1:] {
		_, err := n.log.Add(e)
		n.w.must(err)
	}
	if keys {
		n.pull(from)
	}
	n.follow()
}

func (n *node) follow() {
	n.w.t.Helper()
	n.w.must(n.book.Follow(context.Background(), n.w.id()))
}

// All implements Meshes.
func (n *node) All() []ident.MeshID { return []ident.MeshID{n.w.id()} }

// Get implements Meshes.
func (n *node) Get(id ident.MeshID) (Mesh, bool) {
	n.mu.Lock()
	gen := n.gen
	n.mu.Unlock()
	return Mesh{
		Self: n.key(), Blind: n.seed.Blind(), Admin: n.log, Ring: n.ring, Gen: gen,
		Rebind: func(_ context.Context, least uint64) error {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.gen = max(n.gen, least)
			return nil
		},
	}, id == n.w.id()
}

// start opens the node on what is on its disk.
func (n *node) start() {
	n.w.t.Helper()
	db, err := store.Open(store.Config{Path: n.path, Schema: 1})
	n.w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = db.Run(ctx) })
	n.db = db
	n.book, err = New(Config{
		DB: db, Meshes: n, Now: func() time.Time { return n.w.now.Add(n.skew) }, Log: slog.New(slog.DiscardHandler),
		Shout: func(_ context.Context, _ ident.MeshID, raw []byte) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.shouted = append(n.shouted, raw)
		},
	})
	n.w.must(err)
	n.w.must(n.book.Use(n.kinds()...))
	n.w.must(n.book.Start(ctx))
	n.stop = func() {
		cancel()
		wg.Wait()
		_ = db.Close()
	}
}

func (n *node) halt() {
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
}

func (n *node) restart() {
	n.w.t.Helper()
	n.halt()
	n.start()
}

// run runs the book's own goroutines until the returned function is called.
func (n *node) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = n.book.Run(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

func (n *node) put(kind, key, value string) Entry {
	n.w.t.Helper()
	e, err := n.book.Put(context.Background(), n.w.id(), kind, key, []byte(value))
	if err != nil {
		n.w.t.Fatalf("%s puts %s %s: %v", n.name, kind, key, err)
	}
	return e
}

func (n *node) del(kind, key string) bool {
	n.w.t.Helper()
	existed, err := n.book.Delete(context.Background(), n.w.id(), kind, key)
	n.w.must(err)
	return existed
}

func (n *node) get(kind, key string) string {
	n.w.t.Helper()
	e, found, err := n.book.Get(n.w.id(), kind, key)
	n.w.must(err)
	if !found {
		return "(nothing)"
	}
	return string(e.Value)
}

// views is all that a node shows, as text.
func (n *node) views() string {
	n.w.t.Helper()
	out := ""
	for _, kind := range []string{"state", "own"} {
		all, err := n.book.List(n.w.id(), kind, "")
		n.w.must(err)
		for _, e := range all {
			out += fmt.Sprintf("%s %s = %s by %s\n", kind, e.Key, e.Value, e.Author.String()[:8])
		}
	}
	return out
}

// took returns, and forgets, what a node was told.
func (n *node) took() []Change {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.changes
	n.changes = nil
	return out
}

// traffic is a connection that counts.
type traffic struct {
	net.Conn
	mu    *sync.Mutex
	bytes *int
}

func (c traffic) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.bytes += n
	return n, err
}

// meet has two nodes exchange over a connection of the machine. It returns what the
// opener reports and the bytes of both directions.
func meet(a, b *node) (replica.Result, int, error) {
	near, far, err := connection()
	if err != nil {
		return replica.Result{}, 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var bytes int
	done := make(chan error, 1)
	go func() {
		_, err := b.book.Exchange(ctx, b.w.id(), wire.NewConn(traffic{far, &mu, &bytes}), false)
		done <- errors.Join(err, far.Close())
	}()
	got, err := a.book.Exchange(ctx, a.w.id(), wire.NewConn(traffic{near, &mu, &bytes}), true)
	err = errors.Join(err, near.Close())
	if other := <-done; other != nil && !errors.Is(other, io.EOF) {
		err = errors.Join(err, other)
	}
	mu.Lock()
	defer mu.Unlock()
	return got, bytes, err
}

// connection is a pair of connected sockets.
func connection() (near, far net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	far, err = l.Accept()
	return near, far, err
}

func (w *world) meet(a, b *node) {
	w.t.Helper()
	if _, _, err := meet(a, b); err != nil {
		w.t.Fatalf("%s meets %s: %v", a.name, b.name, err)
	}
}
