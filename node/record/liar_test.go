package record

import (
	"context"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/store"
)

// told has a node hear of a record that a member made of a header.
func (n *node) told(by *node, h replica.Header, value string) {
	n.w.t.Helper()
	s, err := by.book.shelf(n.w.id())
	n.w.must(err)
	h.Log = replica.Log{Author: by.seed.Blind().Public(), Inc: 1}
	cipher := []byte(value)
	if h.Slot == s.slot("state", "k") {
		h.Epoch, err = s.roster.now()
		n.w.must(err)
		cipher, err = s.seal(text{"state", "k", []byte(value)}, h)
		n.w.must(err)
	}
	r, err := replica.Make(by.seed.Blind(), h, cipher)
	n.w.must(err)
	if v, _, err := n.book.News(context.Background(), n.w.id(), r.Raw()); v != replica.Accept || err != nil {
		n.w.t.Fatalf("record %d: %v, %v", h.N, v, err)
	}
}

func (n *node) entries(bucket string) (count int) {
	n.w.t.Helper()
	n.w.must(n.db.View(func(tx *store.Tx) error {
		tx.Bucket(bucketBook, n.w.id().String()).Bucket(bucket).Ascend(nil, func(_, _ []byte) bool { count++; return true })
		return nil
	}))
	return count
}

// TestOverwritingLeavesNothingBehind has a member overwrite one slot very often, with
// made-up epochs and from the future: only the last of it is waited for.
func TestOverwritingLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, t.TempDir())
	defer w.end()
	ana, eve := w.owner, w.admit("eve")
	s, err := eve.book.shelf(w.id())
	w.must(err)
	slot, n := s.slot("state", "k"), uint64(0)
	for i := range 40 {
		n++
		ana.told(eve, replica.Header{N: n, Slot: replica.Slot{1}, Clock: replica.ClockAt(w.now), Epoch: ident.ID{1, byte(i)}}, "x")
		n++
		ana.told(eve, replica.Header{N: n, Slot: slot, Clock: replica.ClockAt(w.now.AddDate(1, 0, i))}, "x")
	}
	for _, bucket := range []string{"sealed", "later"} {
		if got := ana.entries(bucket); got != 1 {
			t.Errorf("%s has %d entries", bucket, got)
		}
	}
	ana.told(eve, replica.Header{N: n + 1, Slot: slot, Clock: replica.ClockAt(w.now)}, "now")
	if got := ana.entries("later"); got != 0 {
		t.Errorf("later has %d entries", got)
	}
	if got := ana.get("state", "k"); got != "now" {
		t.Errorf("it shows %s", got)
	}
}
