package record

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/replica"
)

// wrote has n hear of a value that a member wrote without heeding any bound.
func (n *node) wrote(by *node, number uint64, key string, at time.Time, deleted bool) {
	n.w.t.Helper()
	n.wroteIn("few", by, number, key, at, deleted)
}

func (n *node) wroteIn(kind string, by *node, number uint64, key string, at time.Time, deleted bool) {
	n.w.t.Helper()
	s, err := by.book.shelf(n.w.id())
	n.w.must(err)
	h := replica.Header{
		Log: replica.Log{Author: by.seed.Blind().Public(), Inc: 1}, N: number, Slot: s.slot(kind, key),
		Clock: replica.ClockAt(at), Deleted: deleted,
	}
	h.Epoch, err = s.roster.now()
	n.w.must(err)
	cipher, err := s.seal(text{kind, key, []byte(by.name)}, h)
	n.w.must(err)
	r, err := replica.Make(by.seed.Blind(), h, cipher)
	n.w.must(err)
	if v, _, err := n.book.News(context.Background(), n.w.id(), r.Raw()); v != replica.Accept || err != nil {
		n.w.t.Fatalf("record %d: %v, %v", number, v, err)
	}
}

func (n *node) few() string { n.w.t.Helper(); return n.all("few") }

func (n *node) all(kind string) (out string) {
	n.w.t.Helper()
	n.w.must(n.book.Each(n.w.id(), kind, "", func(e Entry) { out += e.Key + "=" + string(e.Value) + " " }))
	return out
}

// TestEachMemberHasItsOwnShare has a member write more than it may, in any order of
// time: its earliest values count at all nodes, and what others wrote is as it was.
func TestEachMemberHasItsOwnShare(t *testing.T) {
	w := newWorld(t, t.TempDir())
	defer w.end()
	ana, eve, bo := w.owner, w.admit("eve"), w.admit("bo")
	ana.put("few", "k7", "ana")
	for i := range uint64(10) {
		ana.wrote(eve, i+1, fmt.Sprintf("k%d", i), w.now.Add(time.Duration(10-i)*time.Second), false)
	}
	if got := ana.few(); got != "k7=eve k8=eve k9=eve " {
		t.Errorf("it shows %s", got)
	}
	ana.wrote(eve, 11, "k9", w.now.Add(11*time.Second), true)
	if got := ana.few(); got != "k6=eve k7=eve k8=eve " {
		t.Errorf("after a deletion it shows %s", got)
	}
	ana.wrote(eve, 12, "k7", w.now.Add(12*time.Second), false)
	if got := ana.few(); got != "k5=eve k6=eve k7=ana k8=eve " {
		t.Errorf("after a value was overwritten it shows %s", got)
	}
	w.meet(ana, bo)
	if a, b := ana.few(), bo.few(); a != b {
		t.Errorf("ana shows %s and bo %s", a, b)
	}
	if got := bo.get("few", "k0"); got != "(nothing)" {
		t.Errorf("k0 shows %s", got)
	}
	bo.put("few", "mine", "bo")
	bo.restart()
	if got := bo.few(); got != ana.few()+"mine=bo " {
		t.Errorf("after a restart it shows %s", got)
	}
}

func TestNobodyWritesMoreThanItsShare(t *testing.T) {
	w := newWorld(t, t.TempDir())
	defer w.end()
	ana := w.owner
	for i := range 3 {
		ana.put("few", fmt.Sprintf("k%d", i), "1")
	}
	if _, err := ana.book.Put(t.Context(), w.id(), "few", "k3", []byte("1")); op.CodeOf(err) != op.TooLarge {
		t.Errorf("one more: %v", err)
	}
	ana.put("few", "k1", "2")
	ana.del("few", "k0")
	ana.put("few", "k3", "1")
	if got := ana.few(); got != "k1=2 k2=1 k3=1 " {
		t.Errorf("it shows %s", got)
	}
}

// TestTheNewestCount has a member write more of a kind whose newest count, in any order
// of time: all nodes show the same few, and are told of each that goes out of sight.
func TestTheNewestCount(t *testing.T) {
	w := newWorld(t, t.TempDir())
	defer w.end()
	ana, eve, bo := w.owner, w.admit("eve"), w.admit("bo")
	ana.put("new", "own", "ana")
	ana.took()
	write := func(n uint64, key string, age int, deleted bool) {
		ana.wroteIn("new", eve, n, key, w.now.Add(-time.Duration(age)*time.Second), deleted)
	}
	for i := range uint64(10) {
		write(i+1, fmt.Sprintf("k%d", i), int(10-i), false)
	}
	shown := make(map[string]bool)
	for _, c := range ana.took() {
		shown[c.Key] = c.New != nil
	}
	if len(shown) != 10 || shown["k0"] || shown["k6"] || !shown["k7"] || !shown["k9"] {
		t.Errorf("told %v", shown)
	}
	for _, c := range []struct {
		write func()
		want  string
	}{
		{func() { write(11, "old", 100, false) }, "k7=eve k8=eve k9=eve "},
		{func() { write(12, "k8", 0, true) }, "k6=eve k7=eve k9=eve "},
		{func() { write(13, "k0", 0, false) }, "k0=eve k7=eve k9=eve "},
		{func() { write(14, "k9", 50, true) }, "k0=eve k6=eve k7=eve "},
	} {
		c.write()
		if got := ana.all("new"); got != c.want+"own=ana " {
			t.Errorf("it shows %s, not %s", got, c.want)
		}
		w.meet(ana, bo)
		if got := bo.all("new"); got != c.want+"own=ana " {
			t.Errorf("bo shows %s, not %s", got, c.want)
		}
	}
	for i := range 6 { // the own ones are never refused
		w.now = w.now.Add(time.Second)
		bo.put("new", fmt.Sprintf("z%d", i), "bo")
	}
	w.meet(ana, bo)
	if got := ana.all("new"); got != "k0=eve k6=eve k7=eve own=ana z3=bo z4=bo z5=bo " {
		t.Errorf("it shows %s", got)
	}
}

// A kind that was not bounded before is from the next start on.
func TestABoundThatIsNew(t *testing.T) {
	w := newWorld(t, t.TempDir())
	defer w.end()
	ana := w.owner
	for _, k := range []string{"a", "b", "c", "d"} {
		w.now = w.now.Add(time.Second)
		ana.put("state", k, "x")
	}
	ana.bounded = true
	ana.restart()
	if got := ana.all("state"); got != "c=x d=x " {
		t.Errorf("it shows %s", got)
	}
}
