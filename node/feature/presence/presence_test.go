package presence

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
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
