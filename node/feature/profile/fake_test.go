package profile

import (
	"cmp"
	"context"
	"log/slog"
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

// world is ana's node. Her mesh is team, with bo and cy; in other she is alone.
type world struct {
	t       *testing.T
	f       *Feature
	db      *store.DB
	team    Self
	other   Self
	ana     ident.PublicKey
	bo      ident.PublicKey
	cy      ident.PublicKey
	changed chan ident.PublicKey
	renamed map[ident.PublicKey]string // whom the admin log calls otherwise

	mu      sync.Mutex // guards what follows
	entries map[string]record.Entry
	clock   time.Time
	admins  map[ident.PublicKey]bool
	writes  int
}

func newKey(t testing.TB) ident.PublicKey {
	key, err := ident.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key.Public()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, ana: newKey(t), bo: newKey(t), cy: newKey(t), entries: make(map[string]record.Entry),
		clock: time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC), changed: make(chan ident.PublicKey, 100),
	}
	w.team, w.other = Self{ident.MeshID{1}, "team", w.ana}, Self{ident.MeshID{2}, "other", w.ana}
	w.admins = map[ident.PublicKey]bool{w.ana: true}
	w.db = storetest.New(t)
	w.f = New(Config{
		Book: w, Meshes: meshes{w}, Now: w.now, Log: slog.New(slog.DiscardHandler),
		Changed: func(_ context.Context, _ ident.MeshID, member ident.PublicKey) { w.changed <- member },
	})
	w.f.Start()
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// Put implements Book: ana writes.
func (w *world) Put(_ context.Context, mesh ident.MeshID, _, key string, value []byte) (record.Entry, error) {
	return w.write(mesh, w.ana, key, value)
}

// write has somebody write a key: the last one counts.
func (w *world) write(mesh ident.MeshID, author ident.PublicKey, key string, value []byte) (record.Entry, error) {
	kind := w.f.Kinds()[0]
	if !kind.Writes(mesh, author, key) {
		return record.Entry{}, record.ErrNotOurs
	}
	if err := kind.Check(value); err != nil {
		return record.Entry{}, err
	}
	w.mu.Lock()
	w.writes++
	w.clock = w.clock.Add(time.Millisecond)
	e := record.Entry{Key: key, Value: value, Author: author, Clock: record.Clock(w.clock.UnixMilli()) << 16}
	w.mu.Unlock()
	return e, w.db.Update(context.Background(), func(tx *store.Tx) error {
		w.mu.Lock()
		w.entries[mesh.String()+"/"+key] = e
		w.mu.Unlock()
		if err := tx.Bucket("test").Put([]byte("k"), value); err != nil {
			return err
		}
		return kind.Changed(tx, record.Change{Mesh: mesh, Kind: kind.Name, Key: key, New: &e, Own: author == w.ana, Fresh: true})
	})
}

// List implements Book: what was written by one who may, now.
func (w *world) List(mesh ident.MeshID, _, prefix string) ([]record.Entry, error) {
	w.mu.Lock()
	var all []record.Entry
	for at, e := range w.entries {
		if strings.HasPrefix(at, mesh.String()+"/"+prefix) {
			all = append(all, e)
		}
	}
	w.mu.Unlock()
	kind := w.f.Kinds()[0]
	return slices.DeleteFunc(all, func(e record.Entry) bool { return !kind.Writes(mesh, e.Author, e.Key) }), nil
}

// rejudge tells what all keys of team show, as a book does when roles have changed.
func (w *world) rejudge() {
	w.t.Helper()
	kind := w.f.Kinds()[0]
	w.mu.Lock()
	keys := make(map[string]*record.Entry)
	for at := range w.entries {
		if key, ok := strings.CutPrefix(at, w.team.Mesh.String()+"/"); ok {
			keys[key] = nil
		}
	}
	w.mu.Unlock()
	shown, err := w.List(w.team.Mesh, kind.Name, "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range shown {
		keys[e.Key] = &e
	}
	err = w.db.Update(context.Background(), func(tx *store.Tx) error {
		for key, e := range keys {
			if err := kind.Changed(tx, record.Change{Mesh: w.team.Mesh, Kind: kind.Name, Key: key, New: e}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// Caller implements Meshes.
func (w *world) Caller(_ op.Caller, slug string) (Self, error) {
	switch slug {
	case "", "team":
		return w.team, nil
	case "other":
		return w.other, nil
	}
	return Self{}, op.Errorf(op.NotFound, "you are in no mesh named %q", slug)
}

// meshes is what a world knows of membership; its List is not the book's.
type meshes struct{ *world }

// List implements Meshes.
func (m meshes) List() []Self { return []Self{m.team, m.other} }

// Members implements Meshes.
func (w *world) Members(mesh ident.MeshID) []Member {
	if mesh == w.other.Mesh {
		return []Member{{w.ana, "ana", "owner"}}
	}
	out := []Member{{w.ana, "ana", "owner"}, {w.bo, "bo", "member"}, {w.cy, "Cy", "member"}}
	for i, m := range out {
		out[i].Name = cmp.Or(w.renamed[m.Key], m.Name)
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Admin implements Meshes.
func (w *world) Admin(_ ident.MeshID, member ident.PublicKey) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.admins[member]
}

// do performs an operation as a surface does, and gives both renderings.
func do[In, Out any](w *world, s op.Spec[In, Out], in string) (Out, string, error) {
	w.t.Helper()
	return optest.Do(w.t, optest.Set(w.t, w.f.Ops()...), op.Caller{User: true}, s, in)
}
