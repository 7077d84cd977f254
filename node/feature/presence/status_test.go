package presence

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/op"
)

// set and report are the two ways a status is written.
func (p *person) set(t *testing.T, c op.Caller, value string) {
	t.Helper()
	if _, err := p.answerSetStatus(t.Context(), c, SetStatusRequest{Status: value}); err != nil {
		t.Fatal(err)
	}
}

func (p *person) report(t *testing.T, in ReportRequest) ReportResponse {
	t.Helper()
	out, err := p.answerReport(t.Context(), op.Caller{User: true}, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// is expects a session's status and source at its own node.
func (p *person) is(t *testing.T, c op.Caller, value string, source status.Source) {
	t.Helper()
	l, err := p.Caller(c, "")
	if err != nil {
		t.Fatal(err)
	}
	if l.Status != value || l.StatusSource != string(source) {
		t.Errorf("status %s by %s, want %s by %s", l.Status, l.StatusSource, value, source)
	}
}

// shows expects what another member sees of a session's status.
func (p *person) shows(t *testing.T, name, want string) {
	t.Helper()
	out, err := p.answerPeers(t.Context(), op.Caller{User: true}, PeersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range out.Meshes[0].Peers {
		if one.Name == name {
			if got := one.doing(); got != want {
				t.Errorf("%s sees %s %s, want %s", p.name, name, got, want)
			}
			return
		}
	}
	t.Errorf("%s does not see %s", p.name, name)
}

func TestStatusIsSeenByOthersWithSourceAndAge(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.skew = -time.Hour // a wrong clock changes no age
	c := bo.agent(t, "b1")
	bo.report(t, ReportRequest{AgentSession: "b1", Status: "working"})
	w.pass(7 * time.Second)
	bo.shoutAll(t.Context())
	w.pass(5 * time.Second)
	ana.shows(t, "bo", "[working, hook 12s ago]")
	bo.shows(t, "bo", "[working, hook 12s ago]")
	bo.set(t, c, "dnd")
	bo.shoutAll(t.Context())
	ana.shows(t, "bo", "[dnd, manual 0s ago]")
}

func TestWorkingDecaysOnTheSweepAndOpensTheGate(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	c := ana.agent(t, "a")
	before := w.gates
	ana.report(t, ReportRequest{AgentSession: "a", Status: "working"})
	if w.gates == before {
		t.Error("the gate was not told of the change")
	}
	before = w.gates
	ana.report(t, ReportRequest{AgentSession: "a", Status: "working"})
	if w.gates != before {
		t.Error("the gate was told of no change")
	}
	w.pass(time.Minute)
	ana.sweep()
	ana.is(t, c, "working", status.Hook)
	w.pass(time.Second)
	ana.sweep()
	ana.is(t, c, "idle", status.Inferred)
	if w.gates == before {
		t.Error("the gate was not told of the decay")
	}
}

func TestARestartResetsNoStatus(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	quiet, busy := ana.agent(t, "quiet"), ana.agent(t, "busy")
	ana.set(t, quiet, "dnd")
	ana.report(t, ReportRequest{AgentSession: "busy", Status: "working", Event: EventPrompt})
	before, err := ana.Caller(busy, "")
	if err != nil || !before.Prompted.Equal(w.now) {
		t.Fatalf("prompted %s, %v", before.Prompted, err)
	}
	w.pass(40 * time.Second)
	ana.stop()
	ana.start(t)
	ana.is(t, quiet, "dnd", status.Manual)
	ana.is(t, busy, "working", status.Hook)
	after, err := ana.Caller(busy, "")
	if err != nil || !after.Prompted.Equal(before.Prompted) || !after.StatusAt.Equal(before.StatusAt) {
		t.Errorf("after the restart %+v, %v; before %+v", after, err, before)
	}
	w.pass(21 * time.Second)
	ana.sweep()
	ana.is(t, busy, "idle", status.Inferred)
	ana.is(t, quiet, "dnd", status.Manual)
	if again := ana.agent(t, "quiet"); again.Session != quiet.Session {
		t.Error("another session")
	}
	ana.is(t, quiet, "dnd", status.Manual)
}

func TestHooksEndNoDND(t *testing.T) {
	ana := newWorld().person(t, "ana")
	c := ana.agent(t, "a")
	ana.set(t, c, "dnd")
	if out := ana.report(t, ReportRequest{AgentSession: "a", Status: "idle"}); out.Status != "dnd" || !out.Found {
		t.Errorf("answered %+v", out)
	}
	ana.is(t, c, "dnd", status.Manual)
	ana.set(t, c, "idle")
	ana.is(t, c, "idle", status.Manual)
	for _, in := range []string{"dnd", "busy"} {
		if _, err := ana.answerReport(t.Context(), op.Caller{User: true}, ReportRequest{AgentSession: "a", Status: in}); op.CodeOf(err) != op.Invalid {
			t.Errorf("a hook said %s: %v", in, err)
		}
	}
	if _, err := ana.answerSetStatus(t.Context(), c, SetStatusRequest{Status: "busy"}); op.CodeOf(err) != op.Invalid {
		t.Errorf("busy: %v", err)
	}
}

func TestAReportFindsItsSession(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	open := func(id string, pid int, cwd string) op.Caller {
		t.Helper()
		out, err := ana.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: id, PID: pid, Cwd: cwd})
		if err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		return op.Caller{Session: out.Session}
	}
	one, two, three := open("one", 1, "/a"), open("two", 2, "/a"), open("three", 3, "/b")
	for _, c := range []struct {
		what string
		in   ReportRequest
		want op.Caller
	}{
		{"by the agent's id", ReportRequest{AgentSession: "one", PID: 2, Cwd: "/b"}, one},
		{"by process and folder", ReportRequest{PID: 1, Cwd: "/a"}, one},
		{"by process and folder under a new id", ReportRequest{AgentSession: "new", PID: 1, Cwd: "/a"}, one},
		{"the newest in the folder", ReportRequest{Cwd: "/a"}, two},
		{"the newest in the folder, another process", ReportRequest{PID: 77, Cwd: "/a"}, two},
		{"the process in another folder", ReportRequest{PID: 1, Cwd: "/b"}, three},
		{"another agent in the folder", ReportRequest{AgentSession: "new", PID: 77, Cwd: "/a"}, op.Caller{}},
		{"nobody", ReportRequest{PID: 1, Cwd: "/c"}, op.Caller{}},
	} {
		for _, s := range []op.Caller{one, two, three} {
			ana.set(t, s, "idle")
		}
		c.in.Status = "working"
		out := ana.report(t, c.in)
		if out.Found != (c.want.Session != "") {
			t.Errorf("%s: %+v", c.what, out)
		}
		for _, s := range []op.Caller{one, two, three} {
			want, source := "idle", status.Manual
			if s == c.want {
				want, source = "working", status.Hook
			}
			ana.is(t, s, want, source)
		}
	}
	if out, err := ana.answerReport(t.Context(), two, ReportRequest{AgentSession: "one", Status: "working"}); err != nil || !out.Found {
		t.Errorf("an agent's own report: %+v, %v", out, err)
	}
	ana.is(t, one, "idle", status.Manual) // a session reports of itself alone
	ana.is(t, two, "working", status.Hook)
}

func TestAReportWaitsForItsSession(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	if out := ana.report(t, ReportRequest{AgentSession: "late", Status: "working", Event: EventPrompt}); out.Found {
		t.Error("found nobody")
	}
	ana.report(t, ReportRequest{AgentSession: "later", Status: "working"})
	w.pass(9 * time.Second)
	c := ana.agent(t, "late")
	ana.is(t, c, "working", status.Hook)
	if l, err := ana.Caller(c, ""); err != nil || l.Prompted.IsZero() {
		t.Errorf("the prompt was lost: %v", err)
	}
	w.pass(2 * time.Second)
	ana.is(t, ana.agent(t, "later"), "idle", status.Inferred)
}

func TestReportsAreLimited(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	ana.agent(t, "a")
	in := ReportRequest{AgentSession: "a", PID: 1, Cwd: "/a", Status: "working"}
	for range status.PerMinute {
		ana.report(t, in)
	}
	_, err := ana.answerReport(t.Context(), op.Caller{User: true}, in)
	if op.CodeOf(err) != op.RateLimited || op.AsError(err).Hint == "" {
		t.Errorf("one too many: %v", err)
	}
	w.pass(time.Minute)
	ana.report(t, in)
}

// An agent that reports runs: its session does not stay closed.
func TestAReportOpensASessionThatWasThoughtOver(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	c := ana.agent(t, "a")
	w.pass(2 * time.Hour)
	ana.closeOverdue()
	if got := ana.peers(t, c, false); len(got) != 0 {
		t.Fatalf("still open: %v", got)
	}
	w.pass(lateReport)
	ana.report(t, ReportRequest{AgentSession: "a", Status: "working"})
	if got := ana.peers(t, c, false); len(got) != 1 {
		t.Fatalf("not opened: %v", got)
	}
	if _, err := ana.answerClose(t.Context(), c, CloseRequest{}); err != nil {
		t.Fatal(err)
	}
	ana.report(t, ReportRequest{AgentSession: "a", Status: "idle"}) // a hook that was slow
	if got := ana.peers(t, c, false); len(got) != 0 {
		t.Errorf("opened after its end: %v", got)
	}
}

func TestAPersonChangesOneOfTheirSessions(t *testing.T) {
	ana := newWorld().person(t, "ana")
	user := op.Caller{User: true}
	set := func(session string) error {
		_, err := ana.answerSetStatus(t.Context(), user, SetStatusRequest{Status: "dnd", OfSession: OfSession{Session: session}})
		return err
	}
	if err := set(""); op.CodeOf(err) != op.NotFound {
		t.Errorf("no session: %v", err)
	}
	one := ana.agent(t, "a1")
	if err := set(""); err != nil {
		t.Error(err)
	}
	ana.is(t, one, "dnd", status.Manual)
	two := ana.agent(t, "a2")
	if err := set(""); op.CodeOf(err) != op.Ambiguous || op.AsError(err).Hint == "" {
		t.Errorf("two sessions: %v", err)
	}
	if err := set("nobody"); op.CodeOf(err) != op.NotFound {
		t.Errorf("nobody: %v", err)
	}
	if err := set("ANA-2"); err != nil {
		t.Error(err)
	}
	ana.is(t, two, "dnd", status.Manual)
	for _, c := range []struct {
		session string
		want    op.Code
	}{{"", op.Ambiguous}, {"nobody", op.NotFound}, {"ana-2", ""}} {
		in := SummaryRequest{Summary: "on the parser", OfSession: OfSession{Session: c.session}}
		if _, err := ana.answerSummary(t.Context(), user, in); op.CodeOf(err) != c.want {
			t.Errorf("summary of %q: %v", c.session, err)
		}
	}
	out, err := ana.answerPeers(t.Context(), two, PeersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range out.Meshes[0].Peers {
		if want := map[string]string{"ana-2": "on the parser"}[p.Name]; p.Summary != want {
			t.Errorf("%s: summary %q", p.Name, p.Summary)
		}
	}
	if _, err := ana.answerSetStatus(t.Context(), one, SetStatusRequest{Status: "idle", OfSession: OfSession{Session: "ana-2"}}); op.CodeOf(err) != op.Denied {
		t.Errorf("one session changed another: %v", err)
	}
}
