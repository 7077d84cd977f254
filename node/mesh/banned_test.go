package mesh

import (
	"errors"
	"fmt"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// A banned member with its keys, every entry of the log there is and a client that
// keeps to no rule: its proof lets it in nowhere, what it vouches for counts nowhere,
// and of a thousand things sealed after the ban it opens none.
func TestABannedMembersKeysOpenNothing(t *testing.T) {
	ana, _, _, team, bos, cys := trio(t)
	old := cys.ring.Keys()
	shown := host.Transcript{Dir: 'i', PeerI: cys.all.cfg.Peer, PeerR: ana.peer}
	before, _, err := cys.Prove(shown)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := team.Check(shown, before); err != nil || !p.Member {
		t.Fatalf("before the ban: %+v, %v", p, err)
	}
	session := bos.self // any key
	vouched, _ := cys.Attest(session, "cy", trust.AllRights)
	ana.ban("cy")
	exchangeLogs(t, bos, team, true)
	for _, e := range team.admin.Entries()[1:] { // it gets hold of everything
		if _, err := cys.admin.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	cys.ring.Unlock(cys.admin, cys.self, cys.sealKey)
	for name, m := range map[string]*Mesh{"the banning node": team, "another node": bos} {
		shown.PeerR = m.all.cfg.Peer
		proof, _, err := cys.Prove(shown)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Check(shown, proof)
		if err != nil || p.Member {
			t.Errorf("%s checks its proof: %+v, %v", name, p, err)
		}
		if _, in := m.Member(p); in {
			t.Errorf("%s lets it in", name)
		}
		if _, err := m.Vouched(cys.self, vouched, ana.now, trust.RightSend); !errors.Is(err, ErrNotMember) {
			t.Errorf("%s takes its session: %v", name, err)
		}
		if len(cys.ring.Keys()) != len(old) {
			t.Errorf("it has %d epoch keys, before %d", len(cys.ring.Keys()), len(old))
		}
		heads := m.admin.State().EpochHeads
		for i := range 500 {
			sealed, err := m.SealGossip(fmt.Appendf(nil, "secret %d", i))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := cys.OpenGossip(sealed); err == nil {
				t.Fatalf("it opens what %s sealed", name)
			}
			for _, key := range old {
				for _, try := range [][32]byte{key, trust.EffectiveKey(key)} {
					if _, err := seal.EpochOpen(try, seal.UseGossip, m.id, sealed); err == nil {
						t.Fatalf("an old key opens what %s sealed", name)
					}
				}
			}
		}
		if _, _, err := cys.ring.Effective(heads); !errors.Is(err, trust.ErrNoKey) {
			t.Errorf("it has the mesh's key: %v", err)
		}
	}
}
