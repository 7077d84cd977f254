package message

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m, 300) }

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

// Caller finds the session whose local id the caller names; a person is the first.
func (n *node) Caller(c op.Caller, slug string) (Self, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if o := n.other; o != nil && (slug == o.Slug || slug == o.Mesh.String()) {
		return *o, nil
	}
	for _, s := range n.sessions {
		if c.User || s.ID == c.Session {
			return *s, nil
		}
	}
	return Self{}, op.Errorf(op.NotFound, "no session %q", c.Session)
}

func (n *node) Local(ident.MeshID) []Self {
	n.step()
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Self
	for _, s := range n.sessions {
		if !n.closed[s.Session] {
			out = append(out, *s)
		}
	}
	if fn := n.listed; fn != nil {
		n.listed = nil
		n.mu.Unlock()
		fn()
		n.mu.Lock()
	}
	return out
}

// Resolve knows names of members and sessions, and keys.
func (n *node) Resolve(mesh ident.MeshID, from Self, target string) (Address, error) {
	if !n.step() {
		return Address{}, errKilled
	}
	if mesh != n.w.mesh {
		return Address{}, op.Errorf(op.NotFound, "nobody is called %q", target)
	}
	var found []Address
	for _, o := range n.w.nodes {
		member := o.member.Public()
		if target == "member:"+o.name || target == member.String() {
			found = append(found, Address{Key: member, Member: member, Name: o.name, Online: o.up.Load()})
		}
		o.mu.Lock()
		for _, s := range o.sessions {
			if s.Session != from.Session && (s.Name == target || len(target) >= 8 && strings.HasPrefix(s.Session.String(), target)) {
				found = append(found, Address{Key: s.Session, IsSession: true, Member: member, Name: s.Name, Online: s.Attached})
			}
		}
		o.mu.Unlock()
	}
	switch len(found) {
	case 0:
		return Address{}, op.Errorf(op.NotFound, "nobody is called %q", target)
	case 1:
		return found[0], nil
	}
	return Address{}, op.Errorf(op.Ambiguous, "%q is more than one", target)
}

// in tells whether a target means a session.
func (n *node) in(s *Self, target string) bool {
	if target == "*" || target == "@all" {
		return true
	}
	name := strings.TrimPrefix(target, "@")
	return slices.ContainsFunc(n.groups[s.Session], func(g string) bool { return g == name || strings.HasPrefix(g, name+"/") })
}

// Audience are the members with an open session in a group.
func (n *node) Audience(_ ident.MeshID, target string) (out []ident.PublicKey, _ error) {
	if !n.step() {
		return nil, errKilled
	}
	for _, o := range n.w.nodes {
		o.mu.Lock()
		if target == "*" || target == "@all" || slices.ContainsFunc(o.sessions, func(s *Self) bool { return !o.closed[s.Session] && o.in(s, target) }) {
			out = append(out, o.member.Public())
		}
		o.mu.Unlock()
	}
	if len(out) == 0 {
		return nil, op.Errorf(op.NotFound, "nobody is in %q", target)
	}
	return out, nil
}

func (n *node) Matching(_ ident.MeshID, target string) (open []ident.PublicKey, member bool) {
	n.step()
	n.mu.Lock()
	defer n.mu.Unlock()
	any := false
	for _, s := range n.sessions {
		if n.closed[s.Session] {
			continue
		}
		any = true
		if !n.hidden[s.Session] && n.in(s, target) {
			open = append(open, s.Session)
		}
	}
	return open, !any
}

// Cry tells every other node that hears it.
func (n *node) Cry(_ context.Context, _ ident.MeshID, raw []byte) error {
	if !n.step() {
		return errKilled
	}
	w := n.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.nodes {
		lost := w.cut || w.rng.Float64() < max(w.loss, w.deaf)
		delay := time.Duration(w.rng.Float64() * float64(w.slow))
		if o == n || lost {
			continue
		}
		w.flying.Go(func() {
			time.Sleep(delay)
			if there := o.life.Load(); there != nil && !o.dead.Load() {
				if err := there.Hear(w.mesh, raw); err != nil && !errors.Is(err, ErrLater) {
					w.t.Fatalf("%s refused what %s cried: %v", o.name, n.name, err)
				}
			}
		})
	}
	return nil
}

func (n *node) Member(_ ident.MeshID, key ident.PublicKey) (string, bool) {
	n.step()
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.w.removed[key] {
		return "", false
	}
	if o := n.w.node(key); o != nil {
		return "member:" + o.name, true
	}
	return "", false
}

func (n *node) Judge(_ ident.MeshID, c Claim) (string, error) {
	member, session, attest := c.Member, c.Session, c.Attest
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	name, ok := strings.CutPrefix(string(attest), "attest ")
	switch {
	case n.w.unknown[session]:
		return "", ErrLater
	case n.w.blocked[member]:
		return name, ErrBlocked
	case n.w.revoked[session] || !ok:
		return "", errors.New("the session is not vouched for")
	}
	return name, nil
}

func (n *node) Sign(mesh ident.MeshID, kind ident.Kind, body []byte) (ident.Statement, error) {
	if !n.step() {
		return ident.Statement{}, errKilled
	}
	return ident.Sign(kind, mesh, body, n.member), nil
}

func (n *node) Self(ident.MeshID) ident.PublicKey { return n.member.Public() }

// Send puts letters on the network, which may lose, double, shuffle and delay them.
func (n *node) Send(_ context.Context, _ ident.MeshID, to ident.PublicKey, letters [][]byte) error {
	w := n.w
	other := w.node(to)
	if !n.step() || !other.up.Load() {
		return ErrUnreachable
	}
	n.sent.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return ErrUnreachable
	}
	copies := 1
	if w.rng.Float64() < w.doubled {
		copies = 2
	}
	for range copies {
		batch := append([][]byte(nil), letters...)
		if w.rng.Float64() < w.shuffle {
			w.rng.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		}
		delay := time.Duration(w.rng.Float64() * float64(w.slow))
		lost, lostReceipt := w.rng.Float64() < w.loss, w.rng.Float64() < w.loss
		if !lost {
			w.flying.Go(func() { n.fly(other, batch, delay, lostReceipt) })
		}
	}
	return nil
}

// fly carries a batch there and its receipt back.
func (n *node) fly(other *node, batch [][]byte, delay time.Duration, lostReceipt bool) {
	time.Sleep(delay)
	there := other.life.Load()
	if there == nil || other.dead.Load() {
		return
	}
	receipt, err := there.Deliver(context.Background(), n.w.mesh, n.member.Public(), batch)
	if err != nil || other.dead.Load() || lostReceipt || receipt == nil {
		return
	}
	if here := n.life.Load(); here != nil && !n.dead.Load() {
		here.Receipt(context.Background(), n.w.mesh, other.member.Public(), receipt)
		if n.w.receipted != nil {
			n.w.receipted(receipt)
		}
	}
}

// send sends as a session. It fails if the node was killed before it answered.
func (n *node) send(s *Self, r SendRequest) (SendResponse, error) {
	out, err := n.f.send(context.Background(), op.Caller{Session: s.ID}, r)
	if n.dead.Load() {
		return SendResponse{}, errKilled
	}
	return out, err
}

func (n *node) mustSend(s *Self, to, text string, change ...func(*SendRequest)) string {
	n.w.t.Helper()
	r := SendRequest{To: Targets{to}, Message: text}
	for _, c := range change {
		c(&r)
	}
	out, err := n.send(s, r)
	if err != nil {
		n.w.t.Fatalf("send %q to %s: %v", text, to, err)
	}
	return out.ID
}

// check reads an inbox as a surface does: what it gave is shown, and then confirmed.
func (n *node) check(s *Self, r CheckRequest) CheckResponse {
	n.w.t.Helper()
	out := n.take(s, r)
	if len(out.Messages) > 0 {
		if _, err := n.f.read(context.Background(), op.Caller{Session: s.ID}, out.Shown()); err != nil {
			n.w.t.Fatalf("confirm as %s: %v", s.Name, err)
		}
	}
	return out
}

// take is check by a surface that dies before it has shown anything.
func (n *node) take(s *Self, r CheckRequest) CheckResponse {
	n.w.t.Helper()
	out, err := n.f.check(context.Background(), op.Caller{Session: s.ID}, r)
	if err != nil {
		n.w.t.Fatalf("check as %s: %v", s.Name, err)
	}
	return out
}

// bodies are the texts that Check gives.
func (n *node) bodies(s *Self) string {
	n.w.t.Helper()
	return texts(n.check(s, CheckRequest{}))
}

func texts(r CheckResponse) string {
	var out []string
	for _, m := range r.Messages {
		out = append(out, m.Body)
	}
	return strings.Join(out, ",")
}

// states are those of the recipients of a message.
func (n *node) states(s *Self, id string) string {
	n.w.t.Helper()
	out, err := n.f.status(context.Background(), op.Caller{Session: s.ID}, StatusRequest{ID: id})
	if err != nil {
		n.w.t.Fatalf("status of %s: %v", id, err)
	}
	var states []string
	for _, r := range out.Recipients {
		states = append(states, string(r.State))
	}
	return strings.Join(states, ",")
}

// feed lists what was announced to a session on a topic.
func (n *node) feed(s *Self, topic string) []op.Event {
	n.w.t.Helper()
	changes, _, reset, err := n.db.Feed().Since(0, func(c store.Change) bool {
		return c.Topic == topic && c.To == s.ID
	}, 1<<20)
	if err != nil || reset {
		n.w.t.Fatalf("feed: reset %v, %v", reset, err)
	}
	var out []op.Event
	for _, c := range changes {
		var e op.Event
		if err := json.Unmarshal(c.Data, &e); err != nil {
			n.w.t.Fatalf("feed: %v", err)
		}
		out = append(out, e)
	}
	return out
}

// pushed lists the messages pushed to a session.
func (n *node) pushed(s *Self) []op.Message {
	n.w.t.Helper()
	var out []op.Message
	for _, e := range n.feed(s, op.TopicMessage) {
		var m op.Message
		if err := json.Unmarshal(e.Data, &m); err != nil {
			n.w.t.Fatalf("feed: %v", err)
		}
		out = append(out, m)
	}
	return out
}

// pushes are their texts.
func (n *node) pushes(s *Self) string {
	n.w.t.Helper()
	var out []string
	for _, m := range n.pushed(s) {
		out = append(out, m.Body)
	}
	return strings.Join(out, ",")
}

func parseID(s string) letter.ID {
	id, _ := letter.ParseID(s)
	return id
}

func opCaller(s *Self) op.Caller { return op.Caller{Session: s.ID} }

// codeOf wants an error with a code.
func codeOf(t *testing.T, err error, want op.Code) {
	t.Helper()
	if op.CodeOf(err) != want {
		t.Errorf("error %v has the code %q, want %q", err, op.CodeOf(err), want)
	}
}

func (n *node) Callers(c op.Caller) ([]Self, error) {
	s, err := n.Caller(c, "")
	if n.other != nil {
		return []Self{*n.other, s}, err
	}
	return []Self{s}, err
}

// cryOf makes a message to everybody by hand.
func cryOf(w *world, n *node, member ident.PrivateKey, created time.Time, session ident.PrivateKey) []byte {
	s := n.sessions[0]
	id, _ := letter.NewID(time.Now())
	m := letter.Message{
		ID: id, Origin: s.Member, Session: s.Session, Reach: letter.Mesh, Targets: []string{"*"}, Priority: delivery.Next,
		Body: "cried", Cause: letter.CauseOf(s.Member, id), Created: time.UnixMilli(created.UnixMilli()), TTL: time.Hour,
	}
	body := letter.Letter{
		Statement: ident.Sign(ident.KindMessage, w.mesh, m.Encode(), session).Marshal(), Attest: s.Attest,
		Ord: uint64(time.Now().UnixMilli()) << 16, Addresses: []letter.Address{{Index: letter.Everyone}}, Remaining: time.Hour,
	}.Pack()
	c := letter.Cry{Letter: body}
	for _, o := range w.nodes {
		if o != n {
			c.Members = append(c.Members, o.member.Public())
		}
	}
	return ident.Sign(letter.KindCry, w.mesh, c.Encode(), member).Marshal()
}
