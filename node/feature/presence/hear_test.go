package presence

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/card"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestLeasesAndGrace(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.agent(t, "b1")
	user := op.Caller{User: true}
	for _, step := range []struct {
		pass time.Duration
		want string
		list []string
	}{
		{0, "online", []string{"bo/online/"}},
		{roster.Lease - time.Second, "lease runs", []string{"bo/online/"}},
		{2 * time.Second, "lease over", []string{"bo/away/"}},
		{roster.Grace, "grace over", []string{}},
	} {
		w.pass(step.pass)
		if got := ana.peers(t, user, false); !slices.Equal(got, step.list) {
			t.Errorf("%s: %v, want %v", step.want, got, step.list)
		}
	}
	if got := ana.peers(t, user, true); !slices.Equal(got, []string{"bo/offline/"}) {
		t.Errorf("all: %v", got)
	}
	bo.shoutAll(t.Context())
	if got := ana.peers(t, user, false); !slices.Equal(got, []string{"bo/online/"}) {
		t.Errorf("back: %v", got)
	}
}

func TestOldBeaconsChangeNothing(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.agent(t, "b1")
	old, err := bo.beacon(bo.List()[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bo.answerClose(t.Context(), op.Caller{User: true}, CloseRequest{AgentSession: "b1"}); err != nil {
		t.Fatal(err)
	}
	bo.shoutAll(t.Context())
	if err := ana.Hear(t.Context(), w.id, bo.key, old, 0); !errors.Is(err, ErrKnown) {
		t.Fatal(err)
	}
	if got := ana.peers(t, op.Caller{User: true}, false); len(got) != 0 {
		t.Errorf("an old beacon brought %v back", got)
	}
}

func TestANewcomerSeesEverybodyWithTheRestOfTheirLeases(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.agent(t, "b1")
	w.pass(roster.Lease - 10*time.Second)
	delete(w.heard, bo.key) // bo falls silent
	cy := w.person(t, "cy")
	if err := cy.Meet(t.Context(), w.id, ana.key); err != nil {
		t.Fatal(err)
	}
	user := op.Caller{User: true}
	if got := cy.peers(t, user, false); !slices.Equal(got, []string{"bo/online/"}) {
		t.Fatalf("cy sees %v", got)
	}
	w.pass(11 * time.Second)
	if got := cy.peers(t, user, false); !slices.Equal(got, []string{"bo/away/"}) {
		t.Errorf("the list made a new lease: %v", got)
	}
}

func TestForgedBeaconsAreRefused(t *testing.T) {
	w := newWorld()
	ana, bo, eve := w.person(t, "ana"), w.person(t, "bo"), w.person(t, "eve")
	eve.agent(t, "e1")
	raw, err := eve.beacon(eve.List()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := ana.Hear(t.Context(), w.id, bo.key, raw, 0); err == nil {
		t.Error("eve's beacon passed as bo's")
	}
	raw[len(raw)-1] ^= 1
	if err := ana.Hear(t.Context(), w.id, eve.key, raw, 0); err == nil {
		t.Error("a damaged signature passed")
	}
}

// Nobody can claim another member's session, and an echo of one's own changes nothing.
func TestClaimedSessions(t *testing.T) {
	w := newWorld()
	ana, ben, eve := w.person(t, "ana"), w.person(t, "ben"), w.person(t, "eve")
	own := ana.agent(t, "a1")
	ben.agent(t, "b1")
	theirs, err := ben.Caller(op.Caller{Session: ben.byAgent["b1"].ID}, "")
	if err != nil {
		t.Fatal(err)
	}
	mine, err := ana.Caller(own, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, victim := range []ident.PublicKey{theirs.Session, mine.Session} {
		stmt, _, err := eve.Attest(w.id, victim, "trap", "")
		if err != nil {
			t.Fatal(err)
		}
		lie := roster.Beacon{Boot: eve.boot, Seq: uint64(100 + i), Clock: w.now, Lease: roster.Lease, Cards: []roster.Card{{Attest: stmt, Status: status.Mark{Value: status.Idle}, Opened: w.now}}}
		raw, err := eve.SignBeacon(w.id, lie.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if err := ana.Hear(t.Context(), w.id, eve.key, raw, 0); err != nil {
			t.Fatal(err)
		}
		if a, err := ana.Resolve(w.id, ident.PublicKey{1}, victim.String()); err != nil || a.Member == eve.key {
			t.Errorf("the session of %s is %+v, %v", victim, a, err)
		}
	}
	echo, err := ana.beacon(ana.List()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := ana.Hear(t.Context(), w.id, ana.key, echo, 0); !errors.Is(err, ErrKnown) {
		t.Fatal(err)
	}
	if got := ana.peers(t, own, true); !slices.Equal(got, []string{"ana/online/this", "ben/online/", "eve/online/"}) && !slices.Equal(got, []string{"ana/online/this", "ben/online/"}) {
		t.Errorf("ana sees %v", got)
	}
}

// A session that nobody has heard of cannot be claimed either: it does not consent.
func TestASessionConsentsToItsMember(t *testing.T) {
	w := newWorld()
	ana, ben, eve := w.person(t, "ana"), w.person(t, "ben"), w.person(t, "eve")
	delete(w.heard, ana.key)
	c := ben.agent(t, "b1")
	ben.fileCards(t.Context())
	theirs, err := ben.Caller(c, "")
	if err != nil {
		t.Fatal(err)
	}
	stmt, _, err := eve.Attest(w.id, theirs.Session, "trap", "")
	if err != nil {
		t.Fatal(err)
	}
	honest, err := ben.beacon(ben.List()[0])
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := ana.verify(w.id, ben.key, honest)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(b.Cards, func(c roster.Card) bool { return c.Key == theirs.Session })
	for what, consent := range map[string][]byte{"none": nil, "the member's it is": b.Cards[i].Consent, "a made up one": bytes.Repeat([]byte{1}, card.ConsentSize)} {
		lie := roster.Beacon{Boot: eve.boot, Seq: 100, Clock: w.now, Lease: roster.Lease, Cards: []roster.Card{{
			Attest: stmt, Status: status.Mark{Value: status.Idle}, Opened: w.now, Consent: consent,
		}}}
		raw, err := eve.SignBeacon(w.id, lie.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if got, left, err := ana.verify(w.id, eve.key, raw); err != nil || len(got.Cards) != 0 || left != 1 {
			t.Errorf("consent %s: %d cards, %v", what, len(got.Cards), err)
		}
	}
}

// A session that consents to two members, who share its key, is that of the one who was
// heard first: the other's claim is counted.
func TestASessionOfTwoMembersIsTheFirsts(t *testing.T) {
	w := newWorld()
	ana, ben, eve := w.person(t, "ana"), w.person(t, "ben"), w.person(t, "eve")
	var counted []string
	ana.cfg.Refused = func(_ ident.MeshID, from ident.PublicKey, what string) {
		counted = append(counted, fmt.Sprintf("%t %s", from == eve.key, what))
	}
	ben.agent(t, "b1")
	shared := ben.byAgent["b1"].keys[w.id]
	stmt, _, err := eve.Attest(w.id, shared.Public(), "trap", "")
	if err != nil {
		t.Fatal(err)
	}
	consent := card.Consent(w.id, eve.key, shared)
	claim := roster.Beacon{Boot: eve.boot, Seq: 100, Clock: w.now, Lease: roster.Lease, Cards: []roster.Card{{
		Attest: stmt, Status: status.Mark{Value: status.Idle}, Opened: w.now, Consent: consent[:],
	}}}
	raw, err := eve.SignBeacon(w.id, claim.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := ana.Hear(t.Context(), w.id, eve.key, raw, 0); err != nil {
		t.Fatal(err)
	}
	if a, err := ana.Resolve(w.id, ident.PublicKey{1}, shared.Public().String()); err != nil || a.Member != ben.key {
		t.Errorf("the session is %+v, %v; want it to stay ben's", a, err)
	}
	if want := []string{"true claimed_session"}; !slices.Equal(counted, want) {
		t.Errorf("counted %q, want %q", counted, want)
	}
}

// A beacon that somebody kept, of a member that nobody here ever heard of, makes it no
// more online than it is, by whatever way it comes; a node that is connected is online
// however wrong its clock is.
func TestABeaconThatWasKeptMakesNobodyOnline(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.agent(t, "b")
	kept, err := bo.beacon(bo.List()[0])
	if err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Minute)
	for what, hear := range map[string]func(*person) error{
		"gossip": func(p *person) error { return p.Hear(t.Context(), w.id, bo.key, kept, 0) },
		"a list": func(p *person) error { return p.hear(t.Context(), w.id, bo.key, kept, time.Second, false) },
	} {
		cy := w.person(t, "cy")
		cy.far = map[ident.PublicKey]bool{bo.key: true}
		if err := hear(cy); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := cy.peers(t, op.Caller{User: true}, false); len(got) != 0 {
			t.Errorf("%s: there seem to be %v", what, got)
		}
		bo.shoutAll(t.Context())
		if got := cy.peers(t, op.Caller{User: true}, false); len(got) != 1 {
			t.Errorf("%s: after a beacon of now there are %v", what, got)
		}
	}
	bo.skew = -time.Hour
	dan := w.person(t, "dan")
	bo.shoutAll(t.Context())
	if got := dan.peers(t, op.Caller{User: true}, false); len(got) != 1 {
		t.Errorf("with a wrong clock, and connected, there are %v", got)
	}
	_ = ana
}
