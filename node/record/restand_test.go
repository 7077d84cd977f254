package record

import (
	"fmt"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/trust"
)

// role gives a member another role and has all nodes follow.
func (w *world) role(n *node, is trust.Role) {
	w.t.Helper()
	o := w.owner
	e, err := o.log.SignRole(o.seed.Member(), n.key(), is, w.now)
	w.must(err)
	w.add(e)
	for _, n := range w.nodes {
		n.hear(o, true)
	}
}

// What the admin log says of one author changes what that author's records show, and
// the features are told of just that: nothing is looked at that nobody changed.
func TestFollowTellsWhatStandsAnew(t *testing.T) {
	w, ana, bo := pair(t)
	cat := w.admit("cat")
	w.role(cat, trust.RoleAdmin)
	for i := range perCommit + 7 {
		cat.put("ruled", fmt.Sprint("k", i), "by an admin")
	}
	cat.put("state", "s", "by anybody")
	ana.put("state", "a", "1")
	w.meet(bo, cat)
	w.meet(bo, ana)
	if got := len(bo.took()); got != perCommit+9 {
		t.Fatalf("bo was told of %d changes", got)
	}
	w.role(cat, trust.RoleMember)
	gone := bo.took()
	for _, c := range gone {
		if c.Kind != "ruled" || c.New != nil || c.Old == nil {
			t.Fatalf("bo was told %+v", c)
		}
	}
	if len(gone) != perCommit+7 {
		t.Errorf("bo was told that %d keys show nothing", len(gone))
	}
	// A kill after the log is on disk and before it was followed is made good.
	e, err := w.owner.log.SignRole(w.owner.seed.Member(), cat.key(), trust.RoleAdmin, w.now)
	w.must(err)
	w.add(e)
	_, err = bo.log.Add(e)
	w.must(err)
	bo.restart()
	if got := bo.took(); len(got) != perCommit+7 || got[0].New == nil {
		t.Errorf("after a start bo was told of %d changes", len(got))
	}
	// Somebody else comes: nothing that is there is read, and nobody told.
	w.let(w.member("dan"))
	before := bo.checks.Load()
	bo.hear(w.owner, true)
	if got := bo.took(); len(got) != 0 || bo.checks.Load() != before {
		t.Errorf("bo was told %+v, and judged %d values", got, bo.checks.Load()-before)
	}
}
