package state

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is one node's state feature over a book of one author at a time, in two
// meshes.
type world struct {
	t     *testing.T
	f     *Feature
	db    *store.DB
	team  ident.MeshID
	other ident.MeshID
	ana   ident.PublicKey
	bo    ident.PublicKey

	mu       sync.Mutex // guards what follows
	entries  map[string]record.Entry
	clock    time.Time
	settings map[string]string
	mayWrite bool
	admin    bool
	sessions []Self
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, team: ident.MeshID{1}, other: ident.MeshID{2}, ana: newKey(t), bo: newKey(t),
		entries: make(map[string]record.Entry), settings: make(map[string]string), mayWrite: true, admin: true,
		clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	w.db = storetest.New(t)
	for _, id := range []string{"user", "s-one", "s-two"} {
		name := "ana"
		if id == "s-two" {
			name = "ana-2"
		}
		w.sessions = append(w.sessions, Self{Mesh: w.team, Slug: "team", Member: w.ana, Session: newKey(t), Name: name, ID: id})
	}
	start := time.Now()
	w.f = New(Config{DB: w.db, Book: w, Sessions: w, Meshes: w, Mono: func() time.Duration { return time.Since(start) }})
	return w
}

func newKey(t testing.TB) ident.PublicKey {
	key, err := ident.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key.Public()
}

// as calls as a session of ana's.
func as(id string) op.Caller { return op.Caller{Session: id} }

func place(mesh ident.MeshID, key string) string { return mesh.String() + "/" + key }

// Put implements Book.
func (w *world) Put(ctx context.Context, mesh ident.MeshID, _, key string, value []byte) (record.Entry, error) {
	return w.write(ctx, mesh, w.ana, key, value, true)
}

// write has somebody write a key now.
func (w *world) write(ctx context.Context, mesh ident.MeshID, author ident.PublicKey, key string, value []byte, fresh bool) (record.Entry, error) {
	kind := w.f.Kinds()[0]
	if !kind.Writes(mesh, author, key) {
		return record.Entry{}, record.ErrNotOurs
	}
	if err := kind.Check(value); err != nil {
		return record.Entry{}, err
	}
	w.mu.Lock()
	w.clock = w.clock.Add(time.Second)
	e := record.Entry{Key: key, Value: value, Author: author, Clock: record.Clock(w.clock.UnixMilli()) << 16}
	w.mu.Unlock()
	return e, w.db.Update(ctx, func(tx *store.Tx) error {
		w.mu.Lock()
		w.entries[place(mesh, key)] = e
		w.mu.Unlock()
		return kind.Changed(tx, record.Change{Mesh: mesh, Kind: kind.Name, Key: key, New: &e, Own: author == w.ana, Fresh: fresh})
	})
}

// Get implements Book.
func (w *world) Get(mesh ident.MeshID, _, key string) (record.Entry, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e, ok := w.entries[place(mesh, key)]
	return e, ok, nil
}

// List is all entries, by key.
func (w *world) List(mesh ident.MeshID, _, prefix string) ([]record.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []record.Entry
	for at, e := range w.entries {
		if strings.HasPrefix(at, place(mesh, prefix)) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b record.Entry) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// Each implements Book.
func (w *world) Each(mesh ident.MeshID, kind, prefix string, fn func(record.Entry)) error {
	all, err := w.List(mesh, kind, prefix)
	for _, e := range all {
		fn(e)
	}
	return err
}

// Caller implements Sessions.
func (w *world) Caller(c op.Caller, slug string) (Self, error) {
	id := c.Session
	if c.User {
		id = "user"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sessions {
		if s.ID == id {
			s.MayWrite = w.mayWrite
			if slug == "other" {
				s.Mesh, s.Slug = w.other, slug
			}
			return s, nil
		}
	}
	return Self{}, op.Errorf(op.NotFound, "no session %q", id)
}

// Local implements Sessions.
func (w *world) Local(mesh ident.MeshID) []Self {
	w.mu.Lock()
	defer w.mu.Unlock()
	if mesh != w.team {
		return nil
	}
	return slices.Clone(w.sessions)
}

// Members implements Meshes.
func (w *world) Members(ident.MeshID) []Member { return []Member{{w.ana, "ana"}, {w.bo, "bo"}} }

// Author implements Meshes.
func (w *world) Author(_ ident.MeshID, member ident.PublicKey, session string) string {
	name := "ana"
	if member == w.bo {
		name = "bo"
	}
	if session == "" || strings.HasPrefix(session, name) {
		return name + strings.TrimPrefix(session, name)
	}
	return session + " (of " + name + ")"
}

// Setting implements Meshes.
func (w *world) Setting(_ ident.MeshID, key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settings[key]
}

// SetSetting implements Meshes.
func (w *world) SetSetting(_ context.Context, _ ident.MeshID, key, value string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.admin {
		return op.Errorf(op.Denied, "no admin")
	}
	w.settings[key] = value
	return nil
}

// do performs an operation as a surface does, so that requests are validated, and
// gives the response in both renderings.
func do[In, Out any](w *world, c op.Caller, s op.Spec[In, Out], in any) (Out, string, error) {
	w.t.Helper()
	raw, ok := in.(string)
	if !ok {
		b, err := json.Marshal(in)
		if err != nil {
			w.t.Fatal(err)
		}
		raw = string(b)
	}
	return optest.Do(w.t, optest.Set(w.t, w.f.Ops()...), c, s, raw)
}

// fed is what the feed has for a session, by topic.
func (w *world) fed(id string) (states []op.StateChange, systems []op.System) {
	w.t.Helper()
	changes, _, _, err := w.db.Feed().Since(0, func(c store.Change) bool { return c.To == id }, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range changes {
		var e op.Event
		if err := json.Unmarshal(c.Data, &e); err != nil {
			w.t.Fatal(err)
		}
		if e.Mesh != w.team.String() || e.Slug != "team" || e.Topic != c.Topic {
			w.t.Errorf("event %+v", e)
		}
		switch e.Topic {
		case op.TopicState:
			var s op.StateChange
			if err := json.Unmarshal(e.Data, &s); err != nil {
				w.t.Fatal(err)
			}
			states = append(states, s)
		case op.TopicSystem:
			var s op.System
			if err := json.Unmarshal(e.Data, &s); err != nil {
				w.t.Fatal(err)
			}
			systems = append(systems, s)
		default:
			w.t.Errorf("topic %q", e.Topic)
		}
	}
	return states, systems
}
