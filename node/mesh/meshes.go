package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/store"
)

// Config is what the meshes are built from. All fields are needed, but for those
// that say otherwise.
type Config struct {
	// Dir is the user's claudemesh folder; key files live below it.
	Dir string
	DB  *store.DB
	// Peer is this node's libp2p id.
	Peer peer.ID
	// Name is the member name wished for when a request names none.
	Name string
	Net  Net
	Now  func() time.Time
	// Mono is the monotonic clock.
	Mono func() time.Duration
	Log  *slog.Logger
	// Keeps lists, for each of the members, the records that go on to count once it
	// is gone: those live here now, encoded as its removal or leave carries them. It
	// may be nil, or give nil for one: then none of its records counts any more.
	Keeps func(mesh ident.MeshID, members []ident.PublicKey) ([][]byte, error)
	// Forget removes what others keep of a mesh, in the commit that forgets it. Nil: they
	// keep nothing.
	Forget func(tx *store.Tx, mesh ident.MeshID) error
	// Took is told, in the same commit, which entries became part of an admin log that
	// was here before, and what that says now. An error fails the commit. Nil: nobody
	// needs to know.
	Took func(tx *store.Tx, mesh ident.MeshID, self ident.PublicKey, entries []trust.Entry, state *trust.State) error
	// Refused hears, in one word, what was refused of what others say; who is zero
	// where that is not known. It must not block. Nil: nobody needs to know.
	Refused func(mesh ident.MeshID, who ident.PublicKey, what string)
	// Renewed says that a mesh's own delivery key is a new one. It must not block. Nil:
	// nobody needs to know.
	Renewed func(mesh ident.MeshID)
	// Session finds the member of a session by the session's name or key. It may be
	// nil: then members are found by their own names and keys alone.
	Session func(mesh ident.MeshID, name string) (ident.PublicKey, bool)
}

// Net is the network as the meshes use it. It has nine methods because what the host
// reports of a mesh's peers passes through here to whoever keeps them, and because who
// is in decides who is connected.
type Net interface {
	// Proved and Lost pass on that a member's node can be reached, or not any more.
	// They must not block.
	Proved(host.Peer)
	Lost(host.Peer)
	// Changed says that the meshes of this node, or the members of one, are not what
	// they were. It returns once the network follows: connections of those who left
	// are closed, those of newcomers open. gone lists who is no member any more.
	Changed(mesh ident.MeshID, gone []ident.PublicKey)
	// Entered follows Changed for a mesh that this node came into, before whoever asked
	// for that is answered: it returns once the sessions of this node are in it.
	Entered(ctx context.Context, mesh ident.MeshID)
	// Tell has every connected member take over the admin log now and returns how
	// many did.
	Tell(ctx context.Context, mesh ident.MeshID) int
	// Near are the members connected now, each as somebody to ask.
	Near(mesh ident.MeshID) map[ident.PublicKey]op.Doer
	// Cut closes the connections with the members that which picks, and returns how
	// many members that were. They may come back.
	Cut(mesh ident.MeshID, which func(ident.PublicKey) bool) int
	// Addrs are the addresses an invite carries.
	Addrs() []string
	// Join claims an invite from its admitter.
	Join(ctx context.Context, link invite.Link, who join.Applicant) (join.Admission, error)
	// Redeem makes a link of a spoken code: it finds the node that gave it out on the
	// local network, or at an address (HOST:PORT or a multiaddr), and has one guess.
	Redeem(ctx context.Context, c code.Code, at string) (invite.Link, error)
}

// Meshes holds the meshes of this node. It is host.Meshes and the admitter of the
// invites made here. A nil Meshes can list its operations. It is safe for
// concurrent use.
type Meshes struct {
	cfg Config

	mu     sync.RWMutex // guards meshes
	meshes map[ident.MeshID]*Mesh
	broken []Broken // meshes of which the key or the data cannot be used; fixed at Open

	// entering orders making, joining and leaving meshes: two at once could take one
	// name. It is held across commits and network calls, never together with mu.
	entering sync.Mutex

	codes *code.Book

	// Each wakes the loop of its name.
	rotating, fetching, naming chan struct{}
}

// Open loads the meshes of earlier runs. It starts and writes nothing.
func Open(cfg Config) (*Meshes, error) {
	a := &Meshes{
		cfg: cfg, meshes: make(map[ident.MeshID]*Mesh),
		rotating: make(chan struct{}, 1), fetching: make(chan struct{}, 1), naming: make(chan struct{}, 1),
	}
	a.codes = code.NewBook(code.Config{Mono: cfg.Mono, Over: a.burnt, Log: cfg.Log})
	err := cfg.DB.View(func(tx *store.Tx) error {
		ids, err := keptMeshes(tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			m, err := load(a, tx, id)
			if err != nil {
				// One damaged mesh must not keep the others from working.
				a.breaks(id.String(), err)
				continue
			}
			a.meshes[id] = m
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, a.findOrphans()
}

// breaks notes a mesh that cannot be used.
func (a *Meshes) breaks(id string, err error) {
	a.cfg.Log.Error("mesh cannot be used", "mesh", id, "error", err)
	a.broken = append(a.broken, Broken{ID: id, Reason: err.Error()})
}

// findOrphans tells of member keys whose mesh is not in the store.
func (a *Meshes) findOrphans() error {
	paths, err := filepath.Glob(filepath.Join(a.cfg.Dir, keyDir, "*.key"))
	if err != nil {
		return fmt.Errorf("list key files: %w", err)
	}
	for _, path := range paths {
		id, err := ident.ParseMeshID(strings.TrimSuffix(filepath.Base(path), ".key"))
		if err != nil || a.meshes[id] != nil || slices.ContainsFunc(a.broken, func(b Broken) bool { return b.ID == id.String() }) {
			continue
		}
		a.breaks(id.String(), fmt.Errorf("%w: there is a member key (%s) and no data: put a copy of node.db back, or join anew", ErrKept, path))
	}
	return nil
}

// Start renews bindings and delivery keys that are due. It comes after the store's
// writer runs and before the host does.
func (a *Meshes) Start(ctx context.Context) error {
	for _, m := range a.All() {
		if _, err := m.renew(ctx, false); err != nil {
			return err
		}
	}
	return a.follow(ctx)
}

// Run renews bindings and delivery keys daily, writes the epochs that are due, fetches
// keys that are missing and follows new names, until ctx ends.
func (a *Meshes) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { a.rotate(ctx) })
	wg.Go(func() { a.fetch(ctx) })
	wg.Go(func() { a.rename(ctx) })
	err := a.renewDaily(ctx)
	cancel()
	wg.Wait()
	return err
}

// renewDaily renews bindings and delivery keys; what fails is tried again soon.
func (a *Meshes) renewDaily(ctx context.Context) error {
	const look = time.Minute // soon after a clock that was wrong is right again
	tick := time.NewTicker(look)
	defer tick.Stop()
	last := a.cfg.Mono()
	renewed := a.cfg.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		mayErase := a.cfg.Mono()-last >= eraseAtMost
		if age := a.cfg.Now().Sub(renewed); age < renewEvery && age > -renewEvery && !mayErase {
			continue
		}
		was := renewed
		renewed = a.cfg.Now()
		for _, m := range a.All() {
			erased, err := m.renew(ctx, mayErase)
			if err != nil {
				// The disk is full, say: what holds now holds for days.
				a.cfg.Log.Warn("binding and delivery key not renewed yet", "mesh", m.ID(), "error", err)
				renewed = was
			}
			if erased {
				last, mayErase = a.cfg.Mono(), false
			}
		}
	}
}

// All lists the meshes by slug.
func (a *Meshes) All() []*Mesh {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := make([]*Mesh, 0, len(a.meshes))
	for _, m := range a.meshes {
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y *Mesh) int { return strings.Compare(x.Slug(), y.Slug()) })
	return out
}

// List implements host.Meshes.
func (a *Meshes) List() []host.Mesh {
	all := a.All()
	out := make([]host.Mesh, 0, len(all))
	for _, m := range all {
		out = append(out, m)
	}
	return out
}

// Get finds a mesh by its id.
func (a *Meshes) Get(id ident.MeshID) (*Mesh, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	m, ok := a.meshes[id]
	return m, ok
}

// Find finds a mesh by slug, id or a prefix of its id of 8 or more characters; an
// empty name means the only one. It fails with op.NotFound or op.Ambiguous.
func (a *Meshes) Find(name string) (*Mesh, error) { return a.find(name) }

// refuse tells of something that others said and that is not so.
func (m *Mesh) refuse(who ident.PublicKey, what string) {
	if m.all.cfg.Refused != nil {
		m.all.cfg.Refused(m.id, who, what)
	}
}

// find finds a mesh by slug, id or a prefix of its id of 8 or more characters; an
// empty name means the only one.
func (a *Meshes) find(name string) (*Mesh, error) {
	all := a.All()
	if len(all) == 0 {
		return nil, op.Errorf(op.NotFound, "you are in no mesh").
			WithHint("run `claudemesh new <name>` to make one, or `claudemesh join <link>`")
	}
	if name == "" && len(all) == 1 {
		return all[0], nil
	}
	slugs := make([]string, 0, len(all))
	var prefixed []*Mesh
	for _, m := range all {
		if m.Slug() == name || m.id.String() == name {
			return m, nil
		}
		if len(name) >= 8 && strings.HasPrefix(m.id.String(), name) {
			prefixed = append(prefixed, m)
		}
		slugs = append(slugs, m.Slug())
	}
	switch {
	case len(prefixed) == 1:
		return prefixed[0], nil
	case name == "":
		return nil, op.Errorf(op.Ambiguous, "you are in %d meshes", len(all)).
			WithHint("name one: %s", strings.Join(slugs, ", "))
	default:
		return nil, op.Errorf(op.NotFound, "you are in no mesh named %q", name).
			WithHint("your meshes: %s", strings.Join(slugs, ", "))
	}
}

// add makes a mesh part of this node.
func (a *Meshes) add(m *Mesh) {
	a.mu.Lock()
	a.meshes[m.id] = m
	a.mu.Unlock()
	a.cfg.Net.Changed(m.id, nil)
}

// remove takes a mesh out of this node.
func (a *Meshes) remove(id ident.MeshID) {
	a.mu.Lock()
	delete(a.meshes, id)
	a.mu.Unlock()
	a.cfg.Net.Changed(id, nil)
}

// changed follows new admin log entries: who went is cut off.
func (a *Meshes) changed(m *Mesh, added []trust.Entry) {
	state := m.admin.State()
	var gone []ident.PublicKey
	m.mu.RLock()
	for key := range m.known {
		if _, ok := state.Member(key); !ok {
			gone = append(gone, key)
		}
	}
	m.mu.RUnlock()
	m.log().Info("admin log grew", "mesh", m.id, "entries", len(added), "members", len(state.Members))
	if was, ok := m.Removed(); ok {
		m.log().Warn("this node's member was removed", "mesh", m.id, "by", was.By, "at", was.At)
	}
	if _, here := a.Get(m.id); here {
		a.cfg.Net.Changed(m.id, gone)
		a.poke(a.rotating)
		a.poke(a.fetching)
		a.poke(a.naming)
	}
}

// freeSlug gives a mesh a name that no other mesh of this node has.
func (a *Meshes) freeSlug(name string, of *Mesh) string {
	slug := strings.Trim(slugLetters(name), "-")
	if len(slug) < 2 {
		slug = "mesh"
	}
	return uniqueSlug(slug, func(s string) bool {
		return slices.ContainsFunc(a.All(), func(m *Mesh) bool { return m != of && m.Slug() == s })
	})
}

// slugLetters keeps what a slug may have of a name that somebody else chose.
func slugLetters(name string) string {
	out := make([]byte, 0, len(name))
	for _, c := range []byte(strings.ToLower(name)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			out = append(out, c)
		}
	}
	const most = 28 // leaves room for a number
	return string(out[:min(len(out), most)])
}
