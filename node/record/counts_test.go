package record

import (
	"testing"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// What does not count here is stored and passed on, shows what others wrote instead,
// and is shown again, with nobody told, once it counts.
func TestWhatDoesNotCountIsKeptAndPassedOn(t *testing.T) {
	w, ana, bo := pair(t)
	cy := w.admit("cy")
	muted := false
	k := ana.book.kinds["state"]
	k.Counts = func(_ ident.MeshID, author ident.PublicKey) bool { return !muted || author != bo.key() }
	ana.book.kinds["state"] = k
	ana.put("state", "k", "ana's")
	w.meet(ana, bo)
	bo.put("state", "k", "bo's")
	bo.put("state", "own", "bo's")
	w.meet(ana, bo)
	if got := ana.get("state", "k"); got != "bo's" {
		t.Fatalf("shows %q", got)
	}
	ana.took()
	muted = true
	if err := ana.book.Rejudge(t.Context(), w.id()); err != nil {
		t.Fatal(err)
	}
	if k, own := ana.get("state", "k"), ana.get("state", "own"); k != "ana's" || own != "(nothing)" {
		t.Errorf("shows %q and %q", k, own)
	}
	if got := ana.took(); len(got) != 0 {
		t.Errorf("told of %d changes", len(got))
	}
	w.meet(ana, cy)
	if k, own := cy.get("state", "k"), cy.get("state", "own"); k != "bo's" || own != "bo's" {
		t.Errorf("passed on: %q and %q", k, own)
	}
	ana.put("state", "k", "the last") // beyond what is not shown
	w.meet(ana, cy)
	if got := cy.get("state", "k"); got != "the last" {
		t.Errorf("the other shows %q", got)
	}
	muted = false
	if err := ana.book.Rejudge(t.Context(), w.id()); err != nil {
		t.Fatal(err)
	}
	if got := ana.get("state", "own"); got != "bo's" {
		t.Errorf("shows %q", got)
	}
}
