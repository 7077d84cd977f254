package mesh

import (
	"testing"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

func TestRebindRaisesTheGenerationForGood(t *testing.T) {
	ana := newHome(t, "ana")
	m := ana.found("team")
	if m.Gen() != 1 {
		t.Fatalf("a new mesh has generation %d", m.Gen())
	}
	for _, c := range []struct{ least, want uint64 }{{4, 4}, {3, 4}, {4, 4}} {
		if err := m.Rebind(t.Context(), c.least); err != nil || m.Gen() != c.want {
			t.Errorf("at least %d: generation %d, %v", c.least, m.Gen(), err)
		}
	}
	if err := ana.cfg.DB.Close(); err != nil {
		t.Fatal(err)
	}
	ana.start("ana")
	m, _ = ana.Get(m.ID())
	stmt, err := ident.ParseStatement(m.Bind(), trust.MaxBody)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := trust.CheckBind(m.ID(), stmt); err != nil || b.Gen != 4 || m.Gen() != 4 {
		t.Errorf("after a start: bound with %d, generation %d, %v", b.Gen, m.Gen(), err)
	}
}

// A store put back to an older copy brings an older binding of the same node.
func TestAHomePutBackIsStillTheHome(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	m := ana.found("team")
	theirs := bo.mustJoin(ana, ana.invite(InviteRequest{}))
	old := theirs.bind
	if err := theirs.Rebind(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	m.Met(theirs.Self(), theirs.Bind(), nil)
	b, err := trust.CheckBind(m.ID(), old)
	if err != nil {
		t.Fatal(err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.boundHere(b) {
		t.Error("its own older binding is taken for another home's")
	}
	b.Peer = []byte(newPeer(t))
	if m.boundHere(b) {
		t.Error("a superseded home is let in")
	}
}
