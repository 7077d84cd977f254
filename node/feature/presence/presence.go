package presence

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/allowance"
	"github.com/claudemesh/claudemesh/node/feature/presence/passing"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Config is what presence is built from. All fields but Mode and Host are needed.
type Config struct {
	DB     *store.DB
	Meshes Meshes
	Air    Air
	// Node is this node's address key, shown by whoami.
	Node string
	// Mode is the message mode of sessions that name none: push, inbox or off.
	Mode string
	// Host is this machine's name, shown to other members.
	Host string
	// Now is the wall clock, Mono the monotonic one.
	Now  func() time.Time
	Mono func() time.Duration
	// Alive tells whether a process of this machine runs. Nil: nobody knows.
	Alive func(pid int) bool
	// Gate is called, without locks held, when something that decides about
	// offering messages to a session of this node has changed.
	Gate func(mesh ident.MeshID, session ident.PublicKey)
	// Rights reads what a session may do and gives it back in one form; all of it is
	// the empty one. Nil: every text is taken as it is.
	Rights func(list string) (string, error)
	// Regard is what the own member thinks of others. It is called without locks held.
	// Nil: of nobody anything.
	Regard Regard
	// Records keep the session cards. Nil: sessions are known from beacons alone.
	Records Records
	// Profile tells what a member says of itself. It is called without locks held.
	// Nil: nobody says anything.
	Profile func(mesh ident.MeshID, member ident.PublicKey) Profile
	// Seen hears that a session of another member came or went: peer_joined, peer_left
	// or peer_returned. It must not block. Nil: nobody needs to know.
	Seen func(mesh ident.MeshID, member ident.PublicKey, event, name string)
	// Refused hears that a member said of a session, or passed on in a list, what is not
	// so: session or beacon.
	Refused func(mesh ident.MeshID, from ident.PublicKey, what string)
	Log     *slog.Logger
}

// Feature is the presence of one node. Its methods are safe for concurrent use.
type Feature struct {
	cfg  Config
	boot uint64
	poke chan struct{} // something others see has changed
	hub  passing.Hub[op.Event]

	changing sync.Mutex // held while a change of a session is made

	mu       sync.Mutex // guards what follows
	seq      uint64
	twinTold time.Duration // when a twin was told last, by the monotonic clock
	reports  status.Reports
	watches  map[ident.MeshID]*roster.Watch
	telling  *allowance.Of[inMesh]
	commits  uint64             // of cards
	written  map[string]writing // own cards, by mesh id and key
	sessions map[string]*live   // local id
	byAgent  map[string]*live   // agent session id
	byToken  map[string]*live   // token hash
	rosters  map[ident.MeshID]*roster.Roster
	cards    map[ident.MeshID]map[string]filed // by the records' keys
	twins    map[ident.MeshID]time.Time        // when a node with a copy of this one's folder was heard last
	began    time.Time                         // when this run did
}

// New loads this node's sessions and what it knew of others. It starts nothing and
// writes nothing.
func New(cfg Config) (*Feature, error) {
	if cfg.Mode == "" {
		cfg.Mode = "push"
	}
	f := &Feature{
		cfg: cfg, poke: make(chan struct{}, 1), began: cfg.Now(),
		sessions: make(map[string]*live), byAgent: make(map[string]*live), byToken: make(map[string]*live),
		rosters: make(map[ident.MeshID]*roster.Roster), cards: make(map[ident.MeshID]map[string]filed),
		twins: make(map[ident.MeshID]time.Time), watches: make(map[ident.MeshID]*roster.Watch), telling: allowance.New[inMesh](cfg.Mono, tellEvery, tellBurst), written: make(map[string]writing),
	}
	if err := cfg.DB.View(f.load); err != nil {
		return nil, fmt.Errorf("load sessions: %w", err)
	}
	if _, ok := f.sessions[UserSession]; !ok {
		f.index(f.newLive(session{ID: UserSession, Opened: cfg.Now(), PeerType: "human", Mode: "inbox"}))
	}
	return f, nil
}

// Start counts this run and settles keys and names. It comes after the store's
// writer runs and before anything else of this package is used.
func (f *Feature) Start(ctx context.Context) error {
	if err := f.cfg.DB.Update(ctx, f.countBoot); err != nil {
		return fmt.Errorf("start presence: %w", err)
	}
	return f.Refresh(ctx)
}

// countBoot raises the boot number: beacons of this run are newer than all before.
func (f *Feature) countBoot(tx *store.Tx) error {
	b := tx.Bucket(bucketBoot)
	// Seconds, so that a store which was put back to an older copy still counts up.
	f.boot = uint64(max(f.cfg.Now().Unix(), 1))
	if old := b.Get([]byte("boot")); len(old) == 8 {
		f.boot = max(f.boot, binary.BigEndian.Uint64(old)+1)
	}
	return b.Put([]byte("boot"), binary.BigEndian.AppendUint64(nil, f.boot))
}

// load reads sessions and remembered beacons. Sessions that were open are detached
// now, with the whole grace before them.
func (f *Feature) load(tx *store.Tx) error {
	var bad error
	tx.Bucket(bucketSessions).Ascend(nil, func(k, v []byte) bool {
		var s session
		if bad = json.Unmarshal(v, &s); bad != nil {
			bad = fmt.Errorf("session %s: %w", k, bad)
			return false
		}
		l := f.newLive(s)
		l.deadline = f.cfg.Mono() + roster.Grace
		f.index(l)
		return true
	})
	if bad != nil {
		return bad
	}
	if err := f.loadCounts(tx); err != nil {
		return err
	}
	for _, m := range f.cfg.Meshes.List() {
		r := f.roster(m.ID)
		tx.Bucket(bucketBeacons, m.ID.String()).Ascend(nil, func(k, v []byte) bool {
			if member, err := ident.ParsePublicKey(k); err == nil && member != m.Self {
				f.remember(r, m.ID, member, v)
			}
			return true
		})
	}
	return nil
}

// remember takes up a beacon of an earlier run: its sessions are known, and away
// until they are heard of.
func (f *Feature) remember(r *roster.Roster, mesh ident.MeshID, member ident.PublicKey, raw []byte) {
	b, _, err := f.verify(mesh, member, append([]byte(nil), raw...))
	if err != nil {
		f.cfg.Log.Debug("remembered beacon dropped", "mesh", mesh, "member", member, "error", err)
		return
	}
	b.Cards = f.unclaimed(mesh, member, b.Cards)
	r.Apply(member, b, append([]byte(nil), raw...), b.Lease, f.cfg.Mono(), b.Clock)
}

// roster returns the roster of a mesh. Callers hold f.mu, or run before any other.
func (f *Feature) roster(mesh ident.MeshID) *roster.Roster {
	r, ok := f.rosters[mesh]
	if !ok {
		r = roster.New()
		f.rosters[mesh] = r
	}
	return r
}

// Refresh gives every session its key and name in every mesh; the node calls it
// when a mesh was joined or left, or members changed. Where nothing is new by that,
// nothing is written, and nobody is told: members change at every node at once.
func (f *Feature) Refresh(ctx context.Context) error { return f.refresh(ctx, "") }

// refresh is Refresh. The session called changed is written in any case.
func (f *Feature) refresh(ctx context.Context, changed string) error {
	meshes := f.cfg.Meshes.List()
	unsaved := f.settleAll(meshes)
	unsaved[changed] = true
	if !f.unsettled(meshes, unsaved) {
		return nil
	}
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, s := range f.openSessions(unsaved) {
			if err := f.save(tx, s, meshes); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("refresh sessions: %w", err)
	}
	if err := f.cfg.DB.View(func(tx *store.Tx) error { return f.loadKeys(tx, meshes) }); err != nil {
		return fmt.Errorf("load session keys: %w", err)
	}
	f.Announce()
	return nil
}

// unsettled adds to the sessions to be saved those that lack a key. It tells whether
// there are any.
func (f *Feature) unsettled(meshes []Mesh, unsaved map[string]bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	any := false
	for id, l := range f.sessions {
		for _, m := range meshes {
			if _, have := l.keys[m.ID]; !have && !l.Closed {
				unsaved[id] = true
			}
		}
		any = any || unsaved[id] && !l.Closed
	}
	return any
}

// settleAll names every open session and forgets people who are no members. It returns
// the sessions that have another name now.
func (f *Feature) settleAll(meshes []Mesh) (renamed map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	current := make(map[ident.MeshID]bool)
	for _, m := range meshes {
		current[m.ID] = true
		members := make(map[ident.PublicKey]bool)
		for _, p := range f.cfg.Meshes.Members(m.ID) {
			members[p.Key] = true
		}
		f.roster(m.ID).Keep(members)
		f.watchOf(m.ID)
	}
	for id := range f.rosters {
		if !current[id] {
			delete(f.rosters, id)
			delete(f.watches, id)
			delete(f.cards, id)
		}
	}
	renamed = make(map[string]bool)
	for id, l := range f.sessions {
		if l.Closed {
			continue
		}
		for _, m := range meshes {
			name := m.ID.String()
			was := l.Names[name]
			if l.ID == UserSession {
				l.Names[name] = m.Name
			} else {
				f.settleName(l, m)
			}
			if l.Names[name] != was {
				renamed[id] = true
			}
		}
	}
	return renamed
}

// openSessions are the stored parts of those of the sessions that are open.
func (f *Feature) openSessions(which map[string]bool) []session {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []session
	for id, l := range f.sessions {
		if which[id] && !l.Closed {
			out = append(out, l.copy())
		}
	}
	return out
}

// copy returns the stored part, detached from further changes.
func (l *live) copy() session {
	s := l.session
	s.Names, s.Summary, s.Places = maps.Clone(l.Names), maps.Clone(l.Summary), maps.Clone(l.Places)
	maps.Copy(s.Places, l.coming)
	s.Agents = append([]string(nil), l.Agents...)
	return s
}

// loadKeys reads the session keys that are not in memory yet.
func (f *Feature) loadKeys(tx *store.Tx, meshes []Mesh) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range meshes {
		b := tx.Bucket(bucketKeys, m.ID.String())
		for id, l := range f.sessions {
			if _, have := l.keys[m.ID]; have {
				continue
			}
			if raw := b.Get([]byte(id)); len(raw) == 32 {
				l.keys[m.ID] = ident.PrivateKeyFromSeed([32]byte(raw))
			}
		}
	}
	return nil
}

// Announce has the next beacon sent at once: something that others see has changed.
func (f *Feature) Announce() {
	select {
	case f.poke <- struct{}{}:
	default:
	}
}

// saveSession writes one session; a store that cannot write ends the process, so
// that the error is only of interest to the log.
func (f *Feature) saveSession(id string) {
	err := f.keep(context.Background(), id)
	if err != nil {
		f.cfg.Log.Error("session not saved", "session", id, "error", err)
	}
}

// closeOverdue closes detached sessions whose grace is over, or whose agent has
// ended: nobody comes back to those.
func (f *Feature) closeOverdue() {
	now := f.cfg.Mono()
	var over []string
	f.mu.Lock()
	for id, l := range f.sessions {
		if id != UserSession && !l.Closed && l.follow == 0 && (now >= l.deadline || l.ended(f.cfg.Alive)) {
			f.end(l)
			over = append(over, id)
		}
	}
	f.mu.Unlock()
	for _, id := range over {
		f.saveSession(id)
		f.changed(id)
	}
}

// ended tells whether the agent's process was seen to run, and does not any more.
func (l *live) ended(alive func(int) bool) bool {
	return l.ran && l.left && !alive(l.PID)
}
