package presence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/card"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/storetest"
)

// world is a mesh of members whose presence features hear each other at once.
type world struct {
	id      ident.MeshID
	mu      sync.Mutex
	members []Member
	keys    map[ident.PublicKey]ident.PrivateKey
	heard   map[ident.PublicKey]*Feature
	now     time.Time
	mono    time.Duration
	shelves []*shelf
	records map[string]record.Entry
	gates   int // calls of Gate
}

// shelf is the shared records as one person has them: all at once.
type shelf struct {
	p  *person
	db *store.DB
}

func (s *shelf) Put(ctx context.Context, mesh ident.MeshID, kind, key string, value []byte) (record.Entry, error) {
	w := s.p.w
	if k := s.p.Kinds()[0]; k.Name != kind || !k.Writes(mesh, s.p.key, key) || k.Check(value) != nil {
		return record.Entry{}, fmt.Errorf("%s may not write %s: %v", s.p.name, key, k.Check(value))
	}
	e := record.Entry{Key: key, Value: value, Author: s.p.key, Clock: record.Clock(uint64(w.at().UnixMilli()) << 16)}
	w.mu.Lock()
	w.records[key] = e
	w.mu.Unlock()
	return e, w.spread(ctx, key, &e)
}

func (s *shelf) Delete(ctx context.Context, _ ident.MeshID, _, key string) (bool, error) {
	s.p.w.mu.Lock()
	_, had := s.p.w.records[key]
	delete(s.p.w.records, key)
	s.p.w.mu.Unlock()
	return had, s.p.w.spread(ctx, key, nil)
}

func (s *shelf) List(_ ident.MeshID, _, prefix string) ([]record.Entry, error) {
	s.p.w.mu.Lock()
	defer s.p.w.mu.Unlock()
	var out []record.Entry
	for key, e := range s.p.w.records {
		if strings.HasPrefix(key, prefix) {
			out = append(out, e)
		}
	}
	return out, nil
}

// spread tells everybody of a record.
func (w *world) spread(ctx context.Context, key string, e *record.Entry) error {
	for _, s := range w.shelves {
		err := s.db.Update(ctx, func(tx *store.Tx) error {
			return s.p.Kinds()[0].Changed(tx, record.Change{Mesh: w.id, Kind: card.Kind, Key: key, New: e})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *world) at() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func newWorld() *world {
	return &world{
		id: ident.MeshID{7}, keys: map[ident.PublicKey]ident.PrivateKey{}, heard: map[ident.PublicKey]*Feature{},
		now:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		records: map[string]record.Entry{},
	}
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.mono = w.now.Add(d), w.mono+d
}

// person is one member's node: its mesh, its air and its feature.
type person struct {
	*Feature
	w     *world
	key   ident.PublicKey
	name  string
	path  string
	says  map[ident.PublicKey]Profile
	skew  time.Duration // of its wall clock
	stop  func()
	other bool                     // is in the other mesh, too
	far   map[ident.PublicKey]bool // not connected
}

func (w *world) person(t *testing.T, name string) *person {
	t.Helper()
	key, err := ident.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	p := &person{w: w, key: key.Public(), name: name, path: filepath.Join(t.TempDir(), "db")}
	w.keys[p.key] = key
	w.members = append(w.members, Member{Key: p.key, Name: name, Role: "member"})
	p.start(t)
	return p
}

// start builds the feature on its store, as after a restart of the node.
func (p *person) start(t *testing.T) {
	t.Helper()
	db, stop := storetest.Open(t, p.path)
	one := &shelf{p, db}
	p.w.shelves = append(p.w.shelves, one)
	p.stop = sync.OnceFunc(func() {
		p.w.shelves = slices.DeleteFunc(p.w.shelves, func(s *shelf) bool { return s == one })
		stop()
	})
	t.Cleanup(p.stop)
	var err error
	p.Feature, err = New(Config{
		DB: db, Meshes: p, Air: p, Node: "node", Host: "host", Log: slog.New(slog.DiscardHandler),
		Now:     func() time.Time { return p.w.at().Add(p.skew) },
		Mono:    func() time.Duration { p.w.mu.Lock(); defer p.w.mu.Unlock(); return p.w.mono },
		Gate:    func(ident.MeshID, ident.PublicKey) { p.w.mu.Lock(); defer p.w.mu.Unlock(); p.w.gates++ },
		Records: one, Profile: func(_ ident.MeshID, m ident.PublicKey) Profile { return p.says[m] },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.w.heard[p.key] = p.Feature
}

func (p *person) List() []Mesh {
	list := []Mesh{{ID: p.w.id, Slug: "team", Self: p.key, Name: p.name, Role: "member"}}
	if p.other {
		list = append(list, Mesh{ID: otherMesh, Slug: "zoo", Self: p.key, Name: p.name, Role: "member"})
	}
	return list
}

// otherMesh is a second mesh that some are in.
var otherMesh = ident.MeshID{8}

func (p *person) Members(ident.MeshID) []Member { return p.w.members }

func (p *person) Attest(mesh ident.MeshID, session ident.PublicKey, name, _ string) ([]byte, time.Time, error) {
	var f ident.Fields
	f.Bytes(1, session[:])
	f.Text(2, name)
	until := p.w.now.Add(24 * time.Hour)
	f.Bytes(3, binary.BigEndian.AppendUint32(nil, uint32(until.Unix())))
	stmt := ident.Sign(ident.KindAttest, mesh, f.Body(), p.w.keys[p.key])
	return stmt.Marshal(), until, nil
}

func (p *person) Vouched(mesh ident.MeshID, member ident.PublicKey, attest []byte, at time.Time) (ident.PublicKey, string, error) {
	stmt, err := ident.ParseStatement(attest, 1024)
	if err != nil {
		return ident.PublicKey{}, "", err
	}
	if err := stmt.Verify(ident.KindAttest, mesh, member); err != nil {
		return ident.PublicKey{}, "", err
	}
	r, err := ident.ReadFields(stmt.Body, 1, 2, 3)
	if err != nil {
		return ident.PublicKey{}, "", err
	}
	key, name := r.Key(1), r.Text(2, 64)
	var end [4]byte
	r.Fixed(3, end[:])
	if until := time.Unix(int64(binary.BigEndian.Uint32(end[:])), 0); at.After(until) {
		return ident.PublicKey{}, "", fmt.Errorf("attested until %s", until)
	}
	return key, name, r.Err()
}

func (p *person) SignBeacon(mesh ident.MeshID, body []byte) ([]byte, error) {
	return ident.Sign(ident.KindBeacon, mesh, body, p.w.keys[p.key]).Marshal(), nil
}

func (p *person) Shout(ctx context.Context, mesh ident.MeshID, raw []byte) {
	for key, f := range p.w.heard {
		if key != p.key {
			if err := f.Hear(ctx, mesh, p.key, raw, 0); err != nil && !errors.Is(err, ErrUnknownMesh) && !errors.Is(err, ErrKnown) {
				panic(err)
			}
		}
	}
}

func (p *person) Roster(ctx context.Context, mesh ident.MeshID, member ident.PublicKey) (RosterResponse, error) {
	return p.w.heard[member].answerRoster(ctx, op.Caller{Member: p.key.String(), Mesh: mesh.String()}, RosterRequest{})
}
func (p *person) Path(_ ident.MeshID, member ident.PublicKey) (string, time.Duration) {
	if p.far[member] {
		return unreachable, 0
	}
	return "local", time.Millisecond
}
func (p *person) Card(ident.MeshID) roster.Node {
	return roster.Node{Addrs: []string{"/ip4/127.0.0.1/tcp/1"}, Heads: []ident.ID{{1}}}
}
func (p *person) Met(ident.MeshID, ident.PublicKey, roster.Node) {}

// agent opens a session and tells everybody.
func (p *person) agent(t *testing.T, id string) op.Caller {
	t.Helper()
	out, err := p.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: id, Channel: "claude-code"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Authenticate(out.Token)
	if err != nil {
		t.Fatal(err)
	}
	p.shoutAll(t.Context())
	return c
}

// names lists what peers shows as NAME/STATE/OWN.
func (p *person) peers(t *testing.T, c op.Caller, all bool) []string {
	t.Helper()
	out, err := p.answerPeers(t.Context(), c, PeersRequest{All: all})
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, one := range out.Meshes[0].Peers {
		list = append(list, one.Name+"/"+one.State+"/"+one.Own)
	}
	return list
}

// shoutAll sends a beacon in every mesh.
func (p *person) shoutAll(ctx context.Context) {
	for _, m := range p.cfg.Meshes.List() {
		p.shout(ctx, m)
	}
}
