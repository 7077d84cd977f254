package record

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func pair(t *testing.T) (w *world, ana, bo *node) {
	t.Helper()
	w = newWorld(t, t.TempDir())
	t.Cleanup(w.end)
	return w, w.owner, w.admit("bo")
}

func TestWhatOneWritesTheOtherShows(t *testing.T) {
	w, ana, bo := pair(t)
	ana.put("state", "a", "1")
	bo.put("state", "b", "2")
	w.meet(ana, bo)
	if got := ana.views(); got != bo.views() || strings.Count(got, "\n") != 2 {
		t.Fatalf("ana shows\n%sbo\n%s", got, bo.views())
	}
	bo.put("state", "a", "3")
	w.meet(ana, bo)
	if got := ana.get("state", "a"); got != "3" {
		t.Errorf("a is %s", got)
	}
	if !ana.del("state", "a") || ana.del("state", "a") || ana.del("state", "never") {
		t.Error("deletions do not tell what existed")
	}
	w.meet(bo, ana)
	if got := bo.get("state", "a"); got != "(nothing)" {
		t.Errorf("after the deletion a is %s", got)
	}
	if got, err := bo.book.List(w.id(), "state", "b"); err != nil || len(got) != 1 || got[0].Key != "b" || got[0].Author != bo.key() {
		t.Errorf("list: %+v, %v", got, err)
	}
}

func TestRestartChangesNothing(t *testing.T) {
	w, ana, bo := pair(t)
	for _, k := range []string{"x", "y", "z", "yy"} {
		ana.put("state", k, "of "+k)
	}
	w.meet(ana, bo)
	before := bo.views()
	bo.restart()
	if got := bo.views(); got != before {
		t.Errorf("before\n%safter\n%s", before, got)
	}
	all, err := bo.book.List(w.id(), "state", "y")
	if err != nil || len(all) != 2 || all[0].Key != "y" || all[1].Key != "yy" {
		t.Errorf("prefix y: %+v, %v", all, err)
	}
}

func TestRefusedWrites(t *testing.T) {
	w, ana, bo := pair(t)
	room := MaxValue("state", "k")
	for _, c := range []struct {
		name, kind, key, value string
		want                   error
		code                   op.Code
	}{
		{"unknown kind", "other", "k", "v", ErrKind, ""},
		{"no key", "state", "", "v", ErrKey, ""},
		{"long key", "state", strings.Repeat("k", MaxKey+1), "v", ErrKey, ""},
		{"no text", "state", "\xff", "v", ErrKey, ""},
		{"another's key", "own", bo.key().String(), "v", ErrNotOurs, ""},
		{"too large", "state", "k", strings.Repeat("v", room+1), nil, op.TooLarge},
	} {
		_, err := ana.book.Put(context.Background(), w.id(), c.kind, c.key, []byte(c.value))
		if c.want != nil && !errors.Is(err, c.want) || c.code != "" && op.CodeOf(err) != c.code || err == nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	ana.put("state", "k", strings.Repeat("v", room))
	w.meet(ana, bo)
	if got := len(bo.get("state", "k")); got != room {
		t.Errorf("of %d bytes %d came", room, got)
	}
	if _, err := ana.book.Put(context.Background(), ident.MeshID{9}, "state", "k", nil); !errors.Is(err, ErrNoMesh) {
		t.Errorf("in an unknown mesh: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ana.book.Put(ctx, w.id(), "state", "k", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestChangesAreTold(t *testing.T) {
	w, ana, bo := pair(t)
	ana.put("state", "a", "1")
	got := ana.took()
	if len(got) != 1 || !got[0].Own || !got[0].Fresh || got[0].Old != nil || string(got[0].New.Value) != "1" {
		t.Fatalf("ana was told %+v", got)
	}
	w.meet(ana, bo)
	got = bo.took()
	if len(got) != 1 || got[0].Own || !got[0].Fresh || got[0].New.Author != ana.key() || got[0].Kind != "state" || got[0].Key != "a" {
		t.Fatalf("bo was told %+v", got)
	}
	w.now = w.now.Add(3 * time.Minute)
	ana.put("state", "old", "1")
	w.now = w.now.Add(3 * time.Minute)
	ana.del("state", "a")
	w.meet(ana, bo)
	got = bo.took()
	slices.SortFunc(got, func(a, b Change) int { return strings.Compare(a.Key, b.Key) })
	if len(got) != 2 || got[0].New != nil || got[0].Old == nil || !got[0].Fresh || got[1].Fresh {
		t.Fatalf("bo was told %+v", got)
	}
	// What loses changes nothing.
	bo.skew = -50 * time.Second
	bo.put("state", "late", "bo")
	ana.put("state", "late", "ana")
	ana.took()
	w.meet(ana, bo)
	if got := ana.took(); len(got) != 0 || ana.get("state", "late") != "ana" {
		t.Errorf("ana was told %+v", got)
	}
}

func TestValuesAKindRefusesAreKeptAndNotShown(t *testing.T) {
	w, ana, bo := pair(t)
	k := ana.book.kinds["state"]
	k.Check = nil
	ana.book.kinds["state"] = k
	ana.put("state", "a", "bad")
	w.meet(ana, bo)
	if got := bo.get("state", "a"); got != "(nothing)" {
		t.Errorf("bo shows %s", got)
	}
	cat := w.admit("cat")
	bo.hear(ana, true)
	k = cat.book.kinds["state"]
	k.Check = nil
	cat.book.kinds["state"] = k
	w.meet(bo, cat)
	if got := cat.get("state", "a"); got != "bad" {
		t.Errorf("it was not passed on: %s", got)
	}
}

func TestUnknownKindsArePassedOn(t *testing.T) {
	w, ana, bo := pair(t)
	cat := w.admit("cat")
	bo.hear(ana, true)
	delete(bo.book.kinds, "state")
	ana.put("state", "a", "1")
	w.meet(ana, bo)
	w.meet(bo, cat)
	if got := cat.get("state", "a"); got != "1" {
		t.Errorf("a is %s", got)
	}
	bo.restart() // a version that knows the kind
	if got := bo.get("state", "a"); got != "1" {
		t.Errorf("after the update a is %s", got)
	}
}

// A clock over 60 s ahead hides a record until its time comes; it never moves ours.
func TestRecordsFromTheFuture(t *testing.T) {
	w, ana, bo := pair(t)
	bo.skew = 2 * time.Minute
	bo.put("state", "a", "future")
	bo.put("state", "b", "future")
	w.meet(ana, bo)
	if got := ana.get("state", "a"); got != "(nothing)" {
		t.Fatalf("ana shows %s", got)
	}
	e := ana.put("state", "b", "now")
	if d := e.At().Sub(w.now); d < 0 || d > time.Second {
		t.Errorf("a clock ahead moved ours by %s", d)
	}
	ana.took()
	w.now = w.now.Add(61 * time.Second)
	s, err := ana.book.shelf(w.id())
	w.must(err)
	w.must(s.ripen(t.Context()))
	if a, b := ana.get("state", "a"), ana.get("state", "b"); a != "future" || b != "future" {
		t.Errorf("when its time has come a is %s, b %s", a, b)
	}
	if got := ana.took(); len(got) != 2 || got[0].New == nil {
		t.Errorf("ana was told %+v", got)
	}
	e = ana.put("state", "b", "after")
	if ana.get("state", "b") != "after" || e.At().Before(w.now) {
		t.Errorf("a later write at %s does not show", e.At())
	}
}

// After a clock that was wrong, what is written shows again.
func TestOwnClockThatWasAhead(t *testing.T) {
	w, ana, bo := pair(t)
	ana.skew = 1000 * time.Hour
	ana.put("state", "a", "wrong")
	ana.skew = 0
	ana.put("state", "a", "right")
	w.meet(ana, bo)
	if a, b := ana.get("state", "a"), bo.get("state", "a"); a != "right" || b != "right" {
		t.Errorf("ana shows %s, bo %s", a, b)
	}
}

func TestNextClock(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	at := func(ms int64, count uint64) Clock { return Clock(uint64(ms)<<16 | count) }
	for _, c := range []struct {
		name       string
		last, over Clock
		want       Clock
	}{
		{"time", 0, 0, at(1_000_000, 0)},
		{"within the millisecond", at(1_000_000, 4), 0, at(1_000_000, 5)},
		{"the counter carries", at(1_000_000, 0xffff), 0, at(1_000_001, 0)},
		{"own last ahead", at(1_030_000, 0), 0, at(1_030_000, 1)},
		{"overwritten ahead", at(1_030_000, 0), at(1_060_000, 9), at(1_060_000, 10)},
		{"60 s are the most", 0, at(1_060_001, 0), at(1_000_000, 0)},
		{"own last wrong", at(9_000_000, 0), 0, at(1_000_000, 0)},
	} {
		if got := nextClock(now, c.last, c.over); got != c.want {
			t.Errorf("%s: %x, want %x", c.name, got, c.want)
		}
	}
}
