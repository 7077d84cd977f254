package trust

import (
	"slices"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// A record sealed under two concurrent epochs must open for one who joined after a
// third had taken their place.
func TestEpochSetsNamesThoseOfThePast(t *testing.T) {
	o := found(t)
	zero := o.log.Entries()[0].ID()
	o.admit("ann", RoleAdmin)
	o.admit("bob", RoleMember)
	o.admit("cat", RoleMember)
	ann := o.as("ann")
	mustT(t, ann.ring.Put(ann.log, zero, [32]byte{0xee}))
	byOwner, byAnn := o.remove("bob"), ann.remove("cat")
	o.learn(ann)
	o.unlock()
	next := o.rekey(7)
	sets := o.log.EpochSets()
	for _, want := range [][]ident.ID{{zero}, {byOwner}, {byAnn}, {next}, sorted([]ident.ID{byOwner, byAnn})} {
		if got := sets[EpochID(want)]; !slices.Equal(got, want) {
			t.Errorf("the set %v is named %v", want, got)
		}
		if _, _, err := o.ring.Effective(want); err != nil {
			t.Errorf("key of %v: %v", want, err)
		}
	}
	if len(sets) != 5 {
		t.Errorf("%d sets, of which some were never heads together", len(sets))
	}
}

func TestEpochSetsIsBounded(t *testing.T) {
	o := found(t)
	o.admit("ann", RoleAdmin)
	var apart []*node
	for i := range 16 {
		n := o.as("ann")
		n.rekey(byte(i + 1))
		apart = append(apart, n)
	}
	o.learn(apart...)
	sets := o.log.EpochSets()
	if len(sets) > maxSets {
		t.Errorf("%d sets", len(sets))
	}
	if _, ok := sets[o.log.State().Epoch()]; !ok {
		t.Error("the present heads are not among them")
	}
}
