package presence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/card"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestTwoSessionsOfOneMember(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	one, two := ana.agent(t, "a1"), ana.agent(t, "a2")
	bo.agent(t, "b1")
	if got, want := ana.peers(t, one, false), []string{"ana/online/this", "ana-2/online/yours", "bo/online/"}; !slices.Equal(got, want) {
		t.Errorf("ana sees %v, want %v", got, want)
	}
	if got, want := bo.peers(t, op.Caller{User: true}, false), []string{"ana/online/", "ana-2/online/", "bo/online/yours"}; !slices.Equal(got, want) {
		t.Errorf("bo sees %v, want %v", got, want)
	}
	a, err := ana.Caller(one, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := ana.Caller(two, "team")
	if err != nil {
		t.Fatal(err)
	}
	if a.Session == b.Session || a.Name == b.Name {
		t.Errorf("two sessions share key or name: %s, %s", a.Name, b.Name)
	}
}

func TestASessionKeepsKeyAndNameThroughARestart(t *testing.T) {
	w := newWorld()
	p := &person{w: w, name: "ana", path: t.TempDir() + "/db"}
	key, err := ident.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	p.key = key.Public()
	w.keys[p.key] = key
	w.members = []Member{{Key: p.key, Name: "ana"}}
	p.start(t)
	first, err := p.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: "x"})
	if err != nil {
		t.Fatal(err)
	}
	second := p.agent(t, "y")
	before, err := p.Caller(second, "")
	if err != nil {
		t.Fatal(err)
	}
	p.stop()
	p.start(t)
	if _, err := p.Authenticate(first.Token); err != nil {
		t.Errorf("the token of before is refused: %v", err)
	}
	after, err := p.Caller(second, "")
	if err != nil || after.Session != before.Session || after.Name != "ana-2" {
		t.Errorf("after the restart: %s %s, %v; before %s %s", after.Name, after.Session, err, before.Name, before.Session)
	}
}

func TestAliasKeepsTheSession(t *testing.T) {
	ana := newWorld().person(t, "ana")
	c := ana.agent(t, "before-clear")
	if _, err := ana.answerAlias(t.Context(), c, AliasRequest{AgentSession: "before-clear", New: "after-clear"}); err != nil {
		t.Fatal(err)
	}
	if again := ana.agent(t, "after-clear"); again.Session != c.Session {
		t.Errorf("session %s became %s", c.Session, again.Session)
	}
}

// Claude Code restarts its server after /clear with a new session id.
func TestAProcessThatComesBackUnderANewIDGoesOn(t *testing.T) {
	ana := newWorld().person(t, "ana")
	open := func(id string, pid int, cwd string) op.Caller {
		t.Helper()
		out, err := ana.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: id, PID: pid, Cwd: cwd})
		if err != nil {
			t.Fatal(err)
		}
		c, err := ana.Authenticate(out.Token)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := open("before", 7, "/work")
	detach, err := ana.Attach(first, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if second := open("beside", 7, "/work"); second.Session == first.Session {
		t.Error("a session that is attached was given to another")
	}
	detach()
	for name, c := range map[string]op.Caller{"another process": open("a", 8, "/work"), "another folder": open("b", 7, "/play"), "no process": open("c", 0, "/work")} {
		if c.Session == first.Session {
			t.Errorf("%s got the session", name)
		}
	}
	if again := open("after", 7, "/work"); again.Session != first.Session {
		t.Error("the session was lost")
	}
	if again := open("before", 7, "/work"); again.Session != first.Session {
		t.Error("the old id is forgotten")
	}
	if another := open("later", 7, "/work"); another.Session == first.Session {
		t.Error("taken over twice")
	}
}

func TestANewerConnectionTakesOver(t *testing.T) {
	ana := newWorld().person(t, "ana")
	old, err := ana.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: "x"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := ana.Authenticate(old.Token)
	if err != nil {
		t.Fatal(err)
	}
	dropped := false
	detach, err := ana.Attach(c, func() { dropped = true })
	if err != nil {
		t.Fatal(err)
	}
	defer detach()
	if again := ana.agent(t, "x"); again.Session != c.Session || !dropped {
		t.Errorf("same session %v, dropped %v", again.Session == c.Session, dropped)
	}
	if _, err := ana.Authenticate(old.Token); op.CodeOf(err) != op.Denied {
		t.Errorf("the old token: %v", err)
	}
}

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

func TestADetachedSessionClosesAfterItsGrace(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	c := ana.agent(t, "x")
	detach, err := ana.Attach(c, func() {})
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	ana.closeOverdue()
	if got := ana.peers(t, c, false); len(got) != 1 {
		t.Fatalf("an attached session closed: %v", got)
	}
	detach()
	w.pass(roster.Grace - time.Second)
	ana.closeOverdue()
	if got := ana.peers(t, c, false); len(got) != 1 {
		t.Fatalf("closed too early: %v", got)
	}
	w.pass(time.Second)
	ana.closeOverdue()
	if got := ana.peers(t, c, false); len(got) != 0 {
		t.Fatalf("still open: %v", got)
	}
	if again := ana.agent(t, "x"); again.Session != c.Session {
		t.Errorf("taken up again as %s, was %s", again.Session, c.Session)
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

func TestResolve(t *testing.T) {
	w := newWorld()
	ana, bo, carla := w.person(t, "ana"), w.person(t, "bo"), w.person(t, "carla")
	w.person(t, "Carl")
	asker, other := ana.agent(t, "a1"), ana.agent(t, "a2")
	bo.agent(t, "b1")
	self, err := ana.Caller(asker, "")
	if err != nil {
		t.Fatal(err)
	}
	two, err := ana.Caller(other, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, name string
		session      bool
		code         op.Code
	}{
		{"bo", "bo", true, ""},
		{"BO", "bo", true, ""},
		{"team:bo", "bo", true, ""},
		{"ana-2", "ana-2", true, ""},
		{two.Session.String(), "ana-2", true, ""},
		{two.Session.String()[:12], "ana-2", true, ""},
		{bo.key.String(), "bo", false, ""},
		{"carla", "carla", false, ""},
		{"carl", "Carl", false, ""},
		{"arla", "carla", false, ""},
		{"arl", "", false, op.Ambiguous},
		{self.Session.String(), "", false, op.Invalid},
		{"nobody", "", false, op.NotFound},
		{"@all", "", false, op.NotFound},
		{"*", "", false, op.NotFound},
		{"", "", false, op.NotFound},
		{"ffffffffffff", "", false, op.NotFound},
	} {
		t.Run(c.target, func(t *testing.T) {
			a, err := ana.Resolve(w.id, self.Session, c.target)
			if op.CodeOf(err) != c.code || a.Name != c.name || a.IsSession != c.session {
				t.Errorf("got %+v, %v", a, err)
			}
			if err != nil && op.AsError(err).Hint == "" {
				t.Errorf("no next step in %v", err)
			}
		})
	}
	_ = carla
}

// Somebody whose session is gone is still found: mail waits for the member.
func TestANameWithoutASessionOnlineMeansTheMember(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.agent(t, "b1")
	w.pass(roster.Lease + roster.Grace)
	a, err := ana.Resolve(w.id, ident.PublicKey{}, "bo")
	if err != nil || a.IsSession || a.Key != bo.key || a.Online {
		t.Errorf("got %+v, %v", a, err)
	}
}

// Whoever names a session after another member gets none of that member's mail.
func TestANameOfAMemberIsThatMembersAlone(t *testing.T) {
	w := newWorld()
	ana, ben, eve := w.person(t, "ana"), w.person(t, "ben"), w.person(t, "eve")
	if _, err := eve.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: "e", Name: "Ben"}); err != nil {
		t.Fatal(err)
	}
	eve.shoutAll(t.Context())
	a, err := ana.Resolve(w.id, ident.PublicKey{}, "ben")
	if err != nil || a.Member != ben.key || a.IsSession {
		t.Errorf("ben is %+v, %v", a, err)
	}
	b, err := ana.Resolve(w.id, ident.PublicKey{}, "Ben (of eve)")
	if err != nil || b.Member != eve.key || !b.IsSession {
		t.Errorf("eve's Ben is %+v, %v", b, err)
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
	if got := ana.peers(t, own, true); !slices.Equal(got, []string{"ana/online/this", "ben/online/", "eve/offline/"}) && !slices.Equal(got, []string{"ana/online/this", "ben/online/"}) {
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

func TestLimitsOfRequests(t *testing.T) {
	ana := newWorld().person(t, "ana")
	c := ana.agent(t, "x")
	if _, err := ana.answerSummary(t.Context(), c, SummaryRequest{Summary: strings.Repeat("ä", roster.MaxSummary+1)}); op.CodeOf(err) != op.TooLarge {
		t.Errorf("long summary: %v", err)
	}
	if _, err := ana.answerSummary(t.Context(), c, SummaryRequest{Summary: strings.Repeat("ä", roster.MaxSummary)}); err != nil {
		t.Errorf("summary at the limit: %v", err)
	}
	for _, in := range []OpenRequest{
		{AgentSession: "y", Mode: "loud"}, {AgentSession: strings.Repeat("y", 257)}, {AgentSession: "y", Name: "@all"}, {AgentSession: "y", Name: "a\nb"},
	} {
		if _, err := ana.answerOpen(t.Context(), op.Caller{User: true}, in); op.CodeOf(err) != op.Invalid {
			t.Errorf("%+v: %v", in, err)
		}
	}
	for i := range roster.MaxSessions + 1 {
		_, err := ana.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: strings.Repeat("z", i+1)})
		if want := i+1 >= roster.MaxSessions; (op.CodeOf(err) == op.RateLimited) != want {
			t.Fatalf("session %d: %v", i+2, err)
		}
	}
	if raw, err := ana.beacon(ana.List()[0]); err != nil || len(raw) > roster.MaxBeacon {
		t.Errorf("a full beacon has %d bytes, %v", len(raw), err)
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

// What a session is changes for others once it is on disk, and not if it never gets there.
func TestAChangeThatIsNotKeptIsNotShown(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	c := ana.agent(t, "a")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ana.answerJoinGroup(gone, c, JoinGroupRequest{Name: "g"}); err == nil {
		t.Fatal("a group was joined in vain")
	}
	if _, err := ana.answerSetStatus(gone, c, SetStatusRequest{Status: "dnd"}); err == nil {
		t.Fatal("a status was set in vain")
	}
	l, err := ana.Caller(c, "")
	if err != nil || len(l.Groups) != 0 || l.Status == "dnd" {
		t.Errorf("it shows %+v, %v", l, err)
	}
	// Two at once, and what is reported meanwhile, are all there afterwards and after a
	// restart.
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { ana.join(t, c, fmt.Sprint("g", i), "") })
		wg.Go(func() { ana.report(t, ReportRequest{AgentSession: "a", Status: "working", Event: EventPrompt}) })
	}
	wg.Wait()
	for range 2 {
		if l, err = ana.Caller(c, ""); err != nil || len(l.Groups) != 8 || l.Status != "working" {
			t.Errorf("it shows %+v, %v", l, err)
		}
		ana.stop()
		ana.start(t)
	}
}
