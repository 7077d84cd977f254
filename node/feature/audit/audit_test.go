package audit_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/audit/chain"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/storetest"
)

// world is one node's account over a book in memory.
type world struct {
	t    *testing.T
	db   *store.DB
	f    *audit.Feature
	mesh audit.Mesh
	acts []audit.Act

	mu   sync.Mutex // guards book
	book map[string]record.Entry
	now  time.Time
}

func newWorld(t *testing.T, rows uint64) *world {
	t.Helper()
	w := &world{t: t, book: make(map[string]record.Entry)}
	w.mesh = audit.Mesh{ID: ident.MeshID{1}, Slug: "team", Self: ident.PrivateKeyFromSeed([32]byte{1}).Public()}
	w.db = storetest.New(t)
	w.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w.start(rows)
	return w
}

// start makes the feature on what is in the store.
func (w *world) start(rows uint64) {
	w.f = audit.New(audit.Config{DB: w.db, Book: w, Meshes: meshes{w}, Now: func() time.Time { return w.now }, Rows: rows})
}

func (w *world) ops() *op.Set {
	w.t.Helper()
	return optest.Set(w.t, w.f.Ops()...)
}

// query asks as the person at the terminal.
func (w *world) query(in audit.QueryRequest) audit.QueryResponse {
	w.t.Helper()
	out, err := audit.Query.Call(w.t.Context(), w.ops(), op.Caller{User: true}, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) Put(_ context.Context, _ ident.MeshID, _, key string, value []byte) (record.Entry, error) {
	w.show(key, value)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.book[key], nil
}

// show is what a key shows from now on, as the book would tell.
func (w *world) show(key string, value []byte) {
	w.t.Helper()
	e := record.Entry{Key: key, Value: value}
	w.mu.Lock()
	w.book[key] = e
	w.mu.Unlock()
	w.update(func(tx *store.Tx) error {
		return w.f.Kinds()[0].Changed(tx, record.Change{Mesh: w.mesh.ID, Kind: "audit", Key: key, New: &e})
	})
}

func (w *world) List(ident.MeshID, string, string) (out []record.Entry, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range uint64(len(w.book) + 2) {
		if e, ok := w.book[w.key(i+1)]; ok {
			out = append(out, e)
		}
	}
	return out, nil
}

func (w *world) key(i uint64) string { return fmt.Sprintf("%s/%012d", w.mesh.Self, i) }

// meshes shows the world's only mesh.
type meshes struct{ *world }

func (m meshes) List() []audit.Mesh              { return []audit.Mesh{m.mesh} }
func (m meshes) Find(string) (audit.Mesh, error) { return m.mesh, nil }
func (m meshes) Names(ident.MeshID) map[ident.PublicKey]string {
	return map[ident.PublicKey]string{m.mesh.Self: "ana"}
}
func (m meshes) Member(_ ident.MeshID, key ident.PublicKey) bool { return key == m.mesh.Self }
func (m meshes) Acts(ident.MeshID) []audit.Act                   { return m.acts }

func (w *world) update(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// sign adds changes to the admin log, and has them written.
func (w *world) sign(events ...string) {
	w.t.Helper()
	for _, e := range events {
		w.acts = append(w.acts, audit.Act{
			ID: ident.ID{byte(len(w.acts) + 1)}, Signer: w.mesh.Self, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Event: e,
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // it writes what is due and ends
	if err := w.f.Run(ctx); !errors.Is(err, context.Canceled) {
		w.t.Fatal(err)
	}
}

// states are what is said of the member's chain and of the own one.
func (w *world) states() (shared, local audit.Chain) {
	w.t.Helper()
	out, err := audit.Verify.Call(w.t.Context(), w.ops(), op.Caller{User: true}, audit.VerifyRequest{})
	if err != nil || len(out.Chains) == 0 {
		w.t.Fatalf("%+v, %v", out, err)
	}
	return out.Chains[0], out.Chains[len(out.Chains)-1]
}

func TestEachStateOfASharedChain(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(w *world)
		want audit.State
		at   uint64
	}{
		"as it should be": {func(*world) {}, audit.Valid, 0},
		"not written yet": {func(w *world) { w.acts = append(w.acts, audit.Act{ID: ident.ID{9}, Signer: w.mesh.Self}) }, audit.Incomplete, 4},
		"taken back":      {func(w *world) { delete(w.book, w.key(2)) }, audit.Broken, 2},
		"its end taken":   {func(w *world) { delete(w.book, w.key(3)) }, audit.Broken, 3},
		"written anew": {func(w *world) {
			e := chain.Entry{Chain: w.mesh.Self.String(), Actor: w.mesh.Self.String(), Mesh: w.mesh.ID.String(), Event: "nothing", At: "2026-01-02T03:04:05.000Z"}
			raw, err := e.After(1, sha256.Sum256(w.book[w.key(1)].Value)).Encode()
			if err != nil {
				w.t.Fatal(err)
			}
			w.show(w.key(2), raw)
		}, audit.Forked, 2},
		"written twice": {func(w *world) {
			w.show(w.key(1), append(append([]byte{'['}, w.book[w.key(1)].Value...), ']'))
		}, audit.Forked, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 0)
			w.sign("mesh_made", "invite_made")
			w.sign("member_admitted")
			w.sign() // nothing is written twice
			if len(w.book) != 3 {
				t.Fatalf("%d entries", len(w.book))
			}
			c.do(w)
			if got, _ := w.states(); got.State != c.want || got.At != c.at {
				t.Errorf("%+v, want %s at %d", got, c.want, c.at)
			}
		})
	}
}

// The own chain keeps the newest entries, and still shows what was done to them.
func TestTheOwnChainIsBoundedAndTellsOfChanges(t *testing.T) {
	number := func(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }
	for name, c := range map[string]struct {
		do   func(b *store.Bucket) error
		want audit.State
		at   uint64
	}{
		"as it should be": {func(*store.Bucket) error { return nil }, audit.Valid, 0},
		"changed": {func(b *store.Bucket) error {
			raw := append([]byte(nil), b.Bucket("row").Get(number(20))...)
			raw[len(raw)-10] ^= 1
			return b.Bucket("row").Put(number(20), raw)
		}, audit.Broken, 20},
		"taken out":      {func(b *store.Bucket) error { return b.Bucket("row").Delete(number(20)) }, audit.Broken, 20},
		"its end taken":  {func(b *store.Bucket) error { return b.Bucket("row").Delete(number(25)) }, audit.Broken, 25},
		"its start gone": {func(b *store.Bucket) error { return b.Bucket("row").Delete(number(16)) }, audit.Broken, 16},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 10)
			for range 25 {
				w.update(func(tx *store.Tx) error {
					return w.f.Write(tx, audit.Event{Mesh: w.mesh.ID, Name: "message_sent", Data: map[string]string{"id": "x"}})
				})
			}
			w.update(func(tx *store.Tx) error { return c.do(tx.Bucket("audit", "local")) })
			if _, got := w.states(); got.State != c.want || got.At != c.at || c.want == audit.Valid && got.Entries != 10 {
				t.Errorf("%+v, want %s at %d", got, c.want, c.at)
			}
		})
	}
}

// Refusals are counted for good, and who floods a node fills no disk.
func TestRefusalsAreCounted(t *testing.T) {
	w := newWorld(t, 0)
	for i := range 10_000 {
		w.f.Refused(w.mesh.ID, ident.PublicKey{byte(i), byte(i >> 8)}, "beacon")
	}
	w.f.Refused(w.mesh.ID, w.mesh.Self, "letter")
	for range 2 { // before and after a start
		out := w.query(audit.QueryRequest{Kind: "refused", Limit: 500})
		if out.Refused["beacon"] != 10_000 || out.Refused["letter"] != 1 || len(out.Entries) > 300 || len(out.Refusals) > 50 {
			t.Fatalf("%v, %d entries, %d refusals", out.Refused, len(out.Entries), len(out.Refusals))
		}
		w.start(0)
	}
}

// Who goes on with what is refused fills no chain, and what it did is shown: by whom,
// what, how often, since when.
func TestRefusalsThatGoOnAreFewEntries(t *testing.T) {
	w := newWorld(t, 0)
	const minutes, times = 300, 900
	began := w.now
	for range minutes {
		for range 3 {
			w.f.Refused(w.mesh.ID, w.mesh.Self, "letter")
		}
		w.query(audit.QueryRequest{Limit: 1}) // has it written
		w.now = w.now.Add(time.Minute)
	}
	w.sign() // runs until the end, which loses nothing
	out := w.query(audit.QueryRequest{Kind: "refused", Limit: 500})
	sum := 0
	for _, e := range out.Entries {
		n, err := strconv.Atoi(e.Data["times"])
		if err != nil || e.Actor != "ana" || e.Data["reason"] != "letter" {
			t.Fatalf("%+v", e)
		}
		sum += n
	}
	if sum != times || len(out.Entries) > 12 {
		t.Errorf("%d entries tell of %d refusals", len(out.Entries), sum)
	}
	w.start(0)
	w.now = w.now.Add(time.Hour)
	w.f.Refused(ident.MeshID{}, ident.PublicKey{}, "claim")
	out = w.query(audit.QueryRequest{Limit: 1})
	last := began.Add((minutes - 1) * time.Minute).Format(time.RFC3339)
	want := []audit.Refusal{
		{Reason: "claim", From: "nobody known", Times: 1, First: w.now.Format(time.RFC3339), Last: w.now.Format(time.RFC3339)},
		{Mesh: "team", Reason: "letter", From: "ana", Key: w.mesh.Self.String(), Times: times, First: began.Format(time.RFC3339), Last: last},
	}
	if !slices.Equal(out.Refusals, want) {
		t.Errorf("%+v, want %+v", out.Refusals, want)
	}
	for _, line := range []string{"claim 1, letter 900", "letter  900 from ana in team, last " + last, "claim  1 from nobody known, last "} {
		if !strings.Contains(out.Text(), line) {
			t.Errorf("the text lacks %q:\n%s", line, out.Text())
		}
	}
	for _, in := range []audit.QueryRequest{{Member: "ana"}, {InMesh: op.InMesh{Mesh: "team"}}} {
		if got := w.query(in).Refusals; len(got) != 1 || got[0].Reason != "letter" {
			t.Errorf("%+v: %+v", in, got)
		}
	}
	if got := w.query(audit.QueryRequest{Since: "10m"}).Refusals; len(got) != 1 || got[0].Reason != "claim" {
		t.Errorf("lately: %+v", got)
	}
	w.update(func(tx *store.Tx) error { return w.f.Forget(tx, w.mesh.ID) })
	if got := w.query(audit.QueryRequest{}).Refusals; len(got) != 1 {
		t.Errorf("of a mesh that was left: %+v", got)
	}
}

// A text that has no room is cut, and shows that it is.
func TestALongTextIsCutAndMarked(t *testing.T) {
	w := newWorld(t, 0)
	for name, text := range map[string]string{"room": strings.Repeat("n", 256), "cut": strings.Repeat("ü", 200)} {
		w.update(func(tx *store.Tx) error {
			return w.f.Write(tx, audit.Event{Name: "message_sent", Data: map[string]string{"target": text, "id": name}})
		})
		got := w.query(audit.QueryRequest{Limit: 1}).Entries[0].Data["target"]
		if name == "room" && got != text || name == "cut" && (got == text || len(got) > 256 || strings.Trim(got, "ü") != "…") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What somebody signed who had no right to it any more is told as refused, and by whom.
func TestAnActThatDoesNotCountIsARefusal(t *testing.T) {
	w := newWorld(t, 0)
	eve := ident.PrivateKeyFromSeed([32]byte{3}).Public()
	w.update(func(tx *store.Tx) error {
		return w.f.Took(tx, w.mesh.ID, w.mesh.Self, []audit.Act{
			{ID: ident.ID{1}, Signer: eve, Event: "invite_made", Data: map[string]string{"role": "member"}},
			{ID: ident.ID{2}, Signer: eve, Event: "member_removed", Void: true},
		})
	})
	out := w.query(audit.QueryRequest{Member: eve.String()})
	if len(out.Entries) != 2 || out.Entries[0].Event != "refused" || out.Entries[0].Data["act"] != "member_removed" ||
		out.Entries[0].Data["reason"] != "no_right" || out.Entries[1].Event != "invite_made" {
		t.Errorf("%+v", out.Entries)
	}
	if len(out.Refusals) != 1 || out.Refusals[0].Reason != "no_right" || out.Refusals[0].Key != eve.String() || out.Refusals[0].Times != 1 {
		t.Errorf("%+v", out.Refusals)
	}
}
