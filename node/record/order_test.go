package record

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/allowance"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/store"
)

// Data, then the admin log, then the key: each may be the last to come.
func TestViewsWaitForTheLogAndTheKey(t *testing.T) {
	w, ana, bo := pair(t)
	w.rekey()
	cat := w.admit("cat")
	cat.put("state", "c", "of cat")
	w.meet(ana, cat)
	ana.put("state", "a", "of ana")
	// bo knows neither the epoch nor cat.
	w.meet(bo, ana)
	if got := bo.views(); got != "" {
		t.Fatalf("bo shows\n%s", got)
	}
	bo.hear(ana, false)
	w.meet(bo, ana)
	if got := bo.views(); got != "" {
		t.Fatalf("without the key bo shows\n%s", got)
	}
	bo.restart()
	bo.took()
	bo.ring.Unlock(bo.log, bo.key(), bo.seed.Seal())
	bo.follow()
	if got := bo.views(); got != ana.views() || got == "" {
		t.Errorf("bo shows\n%sana\n%s", got, ana.views())
	}
	if got := bo.took(); len(got) != 2 || bo.followed == 0 {
		t.Errorf("bo was told %+v, and %d times that it followed", got, bo.followed)
	}
}

// Of a removed member exactly what the remover held goes on to count, at every node.
func TestARemovedMembersRecords(t *testing.T) {
	w, ana, bo := pair(t)
	cat := w.admit("cat")
	ana.hear(ana, true)
	bo.hear(ana, true)
	cat.put("state", "known", "stays")
	w.meet(ana, cat)
	cat.put("state", "late", "goes")
	w.meet(bo, cat)
	if bo.get("state", "late") != "goes" {
		t.Fatal("bo does not show it")
	}
	w.remove(cat)
	bo.hear(ana, true)
	w.meet(ana, bo)
	for _, n := range []*node{ana, bo} {
		if known, late := n.get("state", "known"), n.get("state", "late"); known != "stays" || late != "(nothing)" {
			t.Errorf("%s shows known %s, late %s", n.name, known, late)
		}
	}
	dan := w.admit("dan")
	w.meet(dan, bo)
	if got := dan.views(); got != ana.views() {
		t.Errorf("a newcomer shows\n%s", got)
	}
}

// A store put back to an older copy: what was written after the copy is not lost while
// somebody has it, nor what is written before it is known.
func TestAStorePutBack(t *testing.T) {
	w, ana, bo := pair(t)
	bo.put("state", "before", "1")
	bo.put("state", "both", "old")
	bo.halt()
	copied, err := os.ReadFile(bo.path)
	w.must(err)
	bo.start()
	for i := range 20 {
		w.now = w.now.Add(time.Second)
		bo.put("state", fmt.Sprintf("after %d", i), "x")
	}
	bo.put("state", "both", "new")
	bo.del("state", "before")
	w.meet(ana, bo)
	want := ana.views()
	bo.halt()
	w.must(os.WriteFile(bo.path, copied, 0o600))
	bo.start()
	w.now = w.now.Add(time.Minute)
	bo.put("state", "meanwhile", "written")
	s, err := bo.book.shelf(w.id())
	w.must(err)
	if s.flags.shouts() {
		t.Error("it shouts before it has compared")
	}
	w.meet(bo, ana)
	w.must(s.adopt(t.Context()))
	w.meet(bo, ana)
	if bo.gen < 2 {
		t.Errorf("its generation is %d", bo.gen)
	}
	bo.put("state", "later", "written")
	w.meet(bo, ana)
	want += "" // and what it wrote since
	for _, n := range []*node{ana, bo} {
		if n.get("state", "meanwhile") != "written" || n.get("state", "later") != "written" ||
			n.get("state", "both") != "new" || n.get("state", "before") != "(nothing)" || n.get("state", "after 19") != "x" {
			t.Errorf("%s shows\n%sbefore\n%s", n.name, n.views(), want)
		}
	}
	if a, b := ana.views(), bo.views(); a != b {
		t.Errorf("ana shows\n%sbo\n%s", a, b)
	}
	cat := w.admit("cat")
	ana.hear(ana, true)
	bo.hear(ana, true)
	w.meet(cat, bo)
	if got := cat.views(); got != ana.views() {
		t.Errorf("a newcomer shows\n%s", got)
	}
}

// The own goroutines do it all by themselves.
func TestAdoptionRunsByItself(t *testing.T) {
	w, ana, bo := pair(t)
	bo.put("state", "a", "1")
	bo.halt()
	copied, err := os.ReadFile(bo.path)
	w.must(err)
	bo.start()
	bo.put("state", "a", "2")
	w.meet(ana, bo)
	bo.halt()
	w.must(os.WriteFile(bo.path, copied, 0o600))
	bo.start()
	defer bo.run()()
	w.meet(bo, ana)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		w.meet(bo, ana)
		bo.mu.Lock()
		gen := bo.gen
		bo.mu.Unlock()
		if bo.get("state", "a") == "2" && ana.get("state", "a") == "2" && gen > 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("bo shows %s, generation %d", bo.get("state", "a"), gen)
		}
	}
}

func TestTrim(t *testing.T) {
	w, ana, bo := pair(t)
	trim := func(n *node) {
		t.Helper()
		s, err := n.book.shelf(w.id())
		w.must(err)
		w.must(s.trim(t.Context()))
	}
	held := func(n *node, key string) (count int) {
		s, err := n.book.shelf(w.id())
		w.must(err)
		w.must(s.View(func(tx replica.Tx) error {
			all, err := s.rep.Slot(tx, s.slot("state", key))
			count = len(all)
			return err
		}))
		return count
	}
	pass := func(days int) {
		for range days {
			w.now = w.now.Add(24 * time.Hour)
			trim(ana)
			trim(bo)
			w.meet(ana, bo)
		}
	}
	ana.put("state", "beaten", "ana")
	ana.put("state", "alone", "ana")
	ana.put("state", "deleted", "ana")
	ana.put("state", "regained", "ana")
	w.now = w.now.Add(time.Second)
	w.meet(ana, bo)
	bo.put("state", "beaten", "bo")
	bo.put("state", "regained", "bo")
	ana.del("state", "deleted")
	bo.put("state", "fought", "bo")
	w.meet(ana, bo)
	ana.del("state", "fought")
	w.meet(ana, bo)
	pass(19)
	ana.put("state", "regained", "ana again")
	pass(10)
	for key, want := range map[string]int{"beaten": 2, "alone": 1, "deleted": 1, "regained": 2, "fought": 2} {
		if a, b := held(ana, key), held(bo, key); a != want || b != want {
			t.Errorf("after 29 days of %q ana holds %d, bo %d, want %d", key, a, b, want)
		}
	}
	pass(4)
	before := ana.views()
	for key, want := range map[string]int{"beaten": 1, "alone": 1, "deleted": 0, "regained": 2, "fought": 1} {
		if a, b := held(ana, key), held(bo, key); key != "fought" && (a != want || b != want) {
			t.Errorf("after 33 days of %q ana holds %d, bo %d, want %d", key, a, b, want)
		}
	}
	pass(60)
	for key, want := range map[string]int{"beaten": 1, "alone": 1, "deleted": 0, "regained": 1, "fought": 0} {
		if a, b := held(ana, key), held(bo, key); a != want || b != want {
			t.Errorf("after 93 days of %q ana holds %d, bo %d, want %d", key, a, b, want)
		}
	}
	if got := ana.views(); got != before || got != bo.views() {
		t.Errorf("trimming changed what shows\n%sto\n%s", before, got)
	}
}

func TestWritersAreSlowedNotRefused(t *testing.T) {
	now := time.Duration(0)
	p := allowance.New[ident.MeshID](func() time.Duration { return now }, time.Second/writesPerSecond, writesPerSecond)
	var waited time.Duration
	for range 150 {
		waited = max(waited, p.Book(ident.MeshID{1}))
	}
	if waited != 500*time.Millisecond {
		t.Errorf("the last of 150 at once waits %s", waited)
	}
	if d := p.Book(ident.MeshID{2}); d > 0 {
		t.Errorf("in another mesh one waits %s", d)
	}
	now += 10 * time.Second
	for i := range 100 {
		if d := p.Book(ident.MeshID{1}); d > 0 {
			t.Fatalf("after a rest write %d waits %s", i, d)
		}
	}
}

// TestSameViews: whatever happened in whatever order, nodes that have met show the
// same.
func TestSameViews(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "views")
		if err != nil {
			rt.Fatalf("%v", err)
		}
		defer os.RemoveAll(dir)
		w := newWorld(rt, dir)
		defer w.end()
		w.admit("bo")
		w.admit("cat")
		gone := map[*node]bool{}
		count := 0
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			n := w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(rt, "node")]
			o := w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(rt, "other")]
			key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key")
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(rt, "ms")) * time.Millisecond)
			switch rapid.SampledFrom([]string{"put", "put", "put", "del", "meet", "meet", "meet", "restart", "hear", "deaf", "skew", "rekey", "admit", "remove"}).Draw(rt, "act") {
			case "put":
				count++
				_, _ = n.book.Put(context.Background(), w.id(), "state", key, []byte(fmt.Sprint(count)))
			case "del":
				_, _ = n.book.Delete(context.Background(), w.id(), "state", key)
			case "meet":
				if n != o {
					_, _, _ = meet(n, o)
				}
			case "restart":
				n.restart()
			case "hear":
				n.hear(w.owner, true)
			case "deaf":
				n.hear(w.owner, false)
			case "skew":
				n.skew = time.Duration(rapid.IntRange(-120, 120).Draw(rt, "s")) * time.Second
			case "rekey":
				w.rekey()
			case "admit":
				if len(w.nodes) < 5 {
					w.admit(fmt.Sprintf("m%d", len(w.nodes)))
				}
			case "remove":
				if n != w.owner && !gone[n] && rapid.Bool().Draw(rt, "really") {
					gone[n] = true
					w.remove(n)
				}
			}
		}
		var in []*node
		for _, n := range w.nodes {
			n.skew = 0
			if !gone[n] {
				n.hear(w.owner, true)
				in = append(in, n)
			}
		}
		w.now = w.now.Add(5 * time.Minute)
		for range 3 {
			for _, a := range in {
				for _, b := range in {
					if a != b {
						w.meet(a, b)
					}
				}
			}
		}
		for _, n := range in {
			if got, want := n.views(), w.owner.views(); got != want {
				rt.Fatalf("%s shows\n%s%s shows\n%s", n.name, got, w.owner.name, want)
			}
		}
		for _, n := range in {
			before := n.views()
			n.restart()
			if got := n.views(); got != before {
				rt.Fatalf("%s showed\n%safter a restart\n%s", n.name, before, got)
			}
		}
	})
}

// A mesh that was left takes its records along; one entered anew begins empty.
func TestDrop(t *testing.T) {
	w, ana, bo := pair(t)
	bo.put("state", "a", "1")
	w.must(bo.db.Update(t.Context(), func(tx *store.Tx) error { return bo.book.Drop(tx, w.id()) }))
	if got := bo.views(); got != "" {
		t.Errorf("bo shows\n%s", got)
	}
	ana.put("state", "a", "2")
	w.meet(ana, bo)
	if got := bo.get("state", "a"); got != "2" {
		t.Errorf("a is %s", got)
	}
}
