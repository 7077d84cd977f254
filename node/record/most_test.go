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
	s, err := by.book.shelf(n.w.id())
	n.w.must(err)
	h := replica.Header{
		Log: replica.Log{Author: by.seed.Blind().Public(), Inc: 1}, N: number, Slot: s.slot("few", key),
		Clock: replica.ClockAt(at), Deleted: deleted,
	}
	h.Epoch, err = s.roster.now()
	n.w.must(err)
	cipher, err := s.seal(text{"few", key, []byte(by.name)}, h)
	n.w.must(err)
	r, err := replica.Make(by.seed.Blind(), h, cipher)
	n.w.must(err)
	if v, _, err := n.book.News(context.Background(), n.w.id(), r.Raw()); v != replica.Accept || err != nil {
		n.w.t.Fatalf("record %d: %v, %v", number, v, err)
	}
}

func (n *node) few() (out string) {
	n.w.t.Helper()
	n.w.must(n.book.Each(n.w.id(), "few", "", func(e Entry) { out += e.Key + "=" + string(e.Value) + " " }))
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
