package mesh

import (
	"errors"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// That an attestation was good once says nothing about who is a member, about
// another time, or about one that differs by a bit.
func TestWhoIsVouchedFor(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	ana.found("team")
	theirs := bo.mustJoin(ana, ana.invite(InviteRequest{}))
	m := ana.All()[0]
	key, err := ident.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	raw, until := theirs.Attest(key.Public(), "bo", trust.AllRights)
	now := until.Add(-time.Hour)
	good := func() error {
		a, err := m.Vouched(theirs.self, raw, now, trust.RightSend)
		if err == nil && (a.Session != key.Public() || a.Name != "bo") {
			t.Errorf("vouched for %+v", a)
		}
		return err
	}
	for range 2 { // the second time it is remembered
		if err := good(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Vouched(theirs.self, raw, until.Add(time.Minute), 0); !errors.Is(err, trust.ErrExpired) {
		t.Errorf("after its time: %v", err)
	}
	if _, err := m.Vouched(m.self, raw, now, 0); !errors.Is(err, ErrNotMember) {
		t.Errorf("as somebody else's: %v", err)
	}
	forged := append([]byte(nil), raw...)
	forged[len(forged)-1] ^= 1
	for range 2 {
		if _, err := m.Vouched(theirs.self, forged, now, 0); !errors.Is(err, ident.ErrSignature) {
			t.Errorf("forged: %v", err)
		}
	}
	leave, err := theirs.admin.SignLeave(theirs.member, nil, bo.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.take(t.Context(), []trust.Entry{leave}, nil); err != nil {
		t.Fatal(err)
	}
	if err := good(); !errors.Is(err, ErrNotMember) {
		t.Errorf("of who has left: %v", err)
	}
}

func TestVouchersAreBounded(t *testing.T) {
	ana := newHome(t, "ana")
	m := ana.found("team")
	for n := range 2 * maxVouchers {
		raw, _ := m.Attest(m.self, "ana", trust.AllRights)
		if _, err := m.vouchers.check(m.id, raw); err != nil {
			t.Fatal(err)
		}
		if len(m.vouchers.good) > maxVouchers {
			t.Fatalf("%d remembered after %d", len(m.vouchers.good), n)
		}
	}
}
