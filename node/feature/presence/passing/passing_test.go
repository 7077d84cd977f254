package passing

import (
	"slices"
	"testing"
)

func TestListenersHearWhatIsForThem(t *testing.T) {
	var h Hub[int]
	a, b := h.Listen("a"), h.Listen("b")
	h.Tell(1, func(to string) bool { return to == "a" })
	h.Tell(2, func(string) bool { return true })
	<-a.Told()
	if got := a.Take(); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("a heard %v", got)
	}
	if got := b.Take(); !slices.Equal(got, []int{2}) {
		t.Errorf("b heard %v", got)
	}
	if got := a.Take(); len(got) != 0 {
		t.Errorf("heard twice: %v", got)
	}
	a.Close()
	h.Tell(3, func(string) bool { return true })
	if got := a.Take(); len(got) != 0 {
		t.Errorf("heard after the end: %v", got)
	}
}

func TestASlowListenerLosesTheOldest(t *testing.T) {
	var h Hub[int]
	l := h.Listen("a")
	defer l.Close()
	for i := range Most + 3 {
		h.Tell(i, func(string) bool { return true })
	}
	if got := l.Take(); len(got) != Most || got[0] != 3 || got[Most-1] != Most+2 {
		t.Errorf("%d events, from %d to %d", len(got), got[0], got[len(got)-1])
	}
}
