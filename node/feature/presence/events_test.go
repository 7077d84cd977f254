package presence

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/passing"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// heardBy reads what a listener was told, as EVENT TEXT.
func heardBy(t *testing.T, l *passing.Listener[op.Event]) []string {
	t.Helper()
	out := []string{}
	for _, e := range l.Take() {
		var s op.System
		if err := json.Unmarshal(e.Data, &s); err != nil || e.Topic != op.TopicSystem || e.Slug != "team" {
			t.Fatalf("event %+v: %v", e, err)
		}
		out = append(out, s.Event+" "+s.Text)
	}
	return out
}

func TestSessionsAreToldWhoComesAndGoes(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	mine := ana.agent(t, "a1")
	out, err := ana.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: "quiet", Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	silent, err := ana.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: "off", Mode: "off"})
	if err != nil {
		t.Fatal(err)
	}
	l, quiet, off := ana.Listen(mine.Session), ana.Listen(out.Session), ana.Listen(silent.Session)
	defer l.Close()
	defer quiet.Close()
	defer off.Close()
	expect := func(what string, want ...string) {
		t.Helper()
		if got := heardBy(t, l); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	w.pass(time.Minute)
	c := bo.named(t, "b1", "worker")
	expect("opens", `peer_joined Peer "worker (of bo)" joined the mesh`)
	ana.agent(t, "a2")
	expect("the own member's other session")
	bo.stop() // says no goodbye
	w.pass(roster.Lease + 30*time.Second)
	ana.watch(ana.List()[0])
	expect("bo's node is down")
	bo.start(t)
	bo.shoutAll(t.Context())
	expect("bo's node is back")
	if _, err := bo.answerSummary(t.Context(), c, SummaryRequest{Summary: "on the parser"}); err != nil {
		t.Fatal(err)
	}
	bo.join(t, c, "g", "lead")
	bo.close(t, c)
	expect("closes", `peer_left Peer "worker (of bo)" left the mesh`)
	w.pass(5 * time.Minute)
	bo.named(t, "b1", "worker")
	expect("opens again", `peer_returned Welcome back, "worker (of bo)"! Last seen 5m ago. Groups: @g:lead. Summary: "on the parser"`)
	bo.show(t, c, false)
	expect("hides", `peer_left Peer "worker (of bo)" left the mesh`)
	bo.show(t, c, true)
	if got := heardBy(t, l); len(got) != 1 || !strings.HasPrefix(got[0], "peer_returned") {
		t.Errorf("shows itself: %q", got)
	}
	w.pass(roster.Lease + roster.Grace)
	ana.watch(ana.List()[0])
	expect("is away for the whole grace", `peer_left Peer "worker (of bo)" left the mesh`)
	if got := append(heardBy(t, quiet), heardBy(t, off)...); len(got) != 0 {
		t.Errorf("those that want no events: %q", got)
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s ago", 42 * time.Second: "42s ago", 5*time.Minute + 59*time.Second: "5m ago", 3 * time.Hour: "3h ago", 50 * time.Hour: "2 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestMeshTimeIsTheMedian(t *testing.T) {
	w := newWorld()
	ana, bo, cy := w.person(t, "ana"), w.person(t, "bo"), w.person(t, "cy")
	if got := ana.MeshTime(w.id); !got.Equal(w.now) {
		t.Errorf("alone: %s", got)
	}
	bo.skew, cy.skew = 100*time.Hour, -time.Second
	bo.agent(t, "b")
	cy.agent(t, "c")
	w.pass(10 * time.Second)
	if got := ana.MeshTime(w.id); !got.Equal(w.now) {
		t.Errorf("one wrong clock of three moved it by %s", got.Sub(w.now))
	}
	w.pass(roster.Lease)
	bo.shoutAll(t.Context()) // cy is not online any more
	if got := ana.MeshTime(w.id); !got.Equal(w.now) {
		t.Errorf("one of two moved it by %s", got.Sub(w.now))
	}
	dan := w.person(t, "dan") // hears of bo in a list alone
	if err := dan.Meet(t.Context(), w.id, ana.key); err != nil {
		t.Fatal(err)
	}
	if got := dan.MeshTime(w.id); !got.Equal(w.now) {
		t.Errorf("a clock in a list moved it by %s", got.Sub(w.now))
	}
}

// TestOldBeaconsMoveNoClock has somebody shout what another shouted days ago to a node
// that cannot know.
func TestOldBeaconsMoveNoClock(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	bo.agent(t, "b")
	m, _ := bo.mesh(w.id)
	old, err := bo.beacon(m)
	if err != nil {
		t.Fatal(err)
	}
	bo.stop()
	delete(w.heard, bo.key)
	w.pass(72 * time.Hour)
	dan := w.person(t, "dan")
	dan.far = map[ident.PublicKey]bool{bo.key: true}
	ana.agent(t, "a")
	if err := dan.Hear(t.Context(), w.id, bo.key, old, 0); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	ana.skew = -72 * time.Hour // with one more the median would be in the past
	ana.shoutAll(t.Context())
	if got := dan.MeshTime(w.id); !got.Equal(w.now) {
		t.Errorf("it moved by %s", got.Sub(w.now))
	}
}

// TestOneMemberIsNotAllThatOthersHear has the sessions of one member come and go all the
// time, and always new ones.
func TestOneMemberIsNotAllThatOthersHear(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	m, _ := ana.mesh(w.id)
	w.pass(roster.Grace)
	news := func(member ident.PublicKey) (told int) {
		if ana.mayTell(m.ID, member) {
			told++
		}
		return told
	}
	told := 0
	for range 1000 {
		told += news(bo.key)
	}
	if told != tellBurst {
		t.Errorf("%d at once", told)
	}
	if news(ident.PublicKey{9}) != 1 {
		t.Error("others are not told of")
	}
	w.pass(tellEvery)
	if news(bo.key)+news(bo.key) != 1 {
		t.Error("not one after a while")
	}
}

func TestStatistics(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	c := bo.agent(t, "b1")
	of := func(p *person) PeerStats {
		t.Helper()
		for _, s := range p.Stats(w.id) {
			if s.Name == "bo" {
				return s
			}
		}
		t.Fatalf("%s has no statistics of bo", p.name)
		return PeerStats{}
	}
	bo.Count(c.Session, 1, 2, 3, 4)
	bo.Count("nobody", 1, 1, 1, 1)
	w.pass(90 * time.Second)
	want := roster.Counts{In: 1, Out: 2, Calls: 3, Errors: 4, Up: 90 * time.Second}
	if got := of(bo); got.Counts != want || !got.Own {
		t.Errorf("bo's own: %+v", got)
	}
	bo.shoutAll(t.Context())
	if got := of(ana); got.Counts != (roster.Counts{}) {
		t.Errorf("told before they are due: %+v", got)
	}
	bo.publish()
	bo.saveCounts(t.Context())
	bo.shoutAll(t.Context())
	if got := of(ana); got.Counts != want || got.Own || !got.Online {
		t.Errorf("ana sees %+v", got)
	}
	bo.close(t, c)
	bo.stop()
	w.pass(time.Hour)
	bo.start(t)
	c = bo.agent(t, "b1")
	bo.Count(c.Session, 1, 0, 0, 0)
	want.In = 2
	if got := of(bo); got.Counts != want {
		t.Errorf("after it came back: %+v, want %+v", got.Counts, want)
	}
}
