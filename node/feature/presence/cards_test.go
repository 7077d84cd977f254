package presence

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/card"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// named opens an agent session under a name.
func (p *person) named(t *testing.T, id, name string) op.Caller {
	t.Helper()
	out, err := p.answerOpen(t.Context(), op.Caller{User: true}, OpenRequest{AgentSession: id, Name: name, Cwd: "/work/" + id})
	if err != nil {
		t.Fatal(err)
	}
	p.shoutAll(t.Context())
	p.fileCards(t.Context())
	return op.Caller{Session: out.Session}
}

// Somebody asleep is no unknown name, on whichever node and after restarts.
func TestWhoIsGoneIsKnownByCards(t *testing.T) {
	w := newWorld()
	ana, bo := w.person(t, "ana"), w.person(t, "bo")
	c := bo.named(t, "b1", "reviewer")
	bo.join(t, c, "g", "lead")
	key, err := bo.Caller(c, "")
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	bo.close(t, c)
	cy := w.person(t, "cy") // never heard any beacon of bo's
	ana.stop()
	ana.start(t)
	for _, p := range []*person{ana, cy} {
		p.reloadCards(w.id)
		for _, target := range []string{"reviewer", "Reviewer", key.Session.String(), key.Session.String()[:12], "reviewer (of bo)"} {
			a, err := p.Resolve(w.id, ident.PublicKey{1}, target)
			if err != nil || a.Key != key.Session || a.Member != bo.key || a.Online {
				t.Errorf("%s finds %s as %+v, %v", p.name, target, a, err)
			}
		}
		if got := p.peers(t, op.Caller{User: true}, false); len(got) != 0 {
			t.Errorf("%s lists %v", p.name, got)
		}
		out, err := p.answerPeers(t.Context(), op.Caller{User: true}, PeersRequest{All: true})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(out.Meshes[0].Peers, func(one Peer) bool { return one.Name == "reviewer" })
		if i < 0 {
			t.Fatalf("%s does not list it among all", p.name)
		}
		one := out.Meshes[0].Peers[i]
		if one.State != "offline" || one.Cwd != "/work/b1" || !slices.Equal(one.Groups, []string{"@g:lead"}) || one.LastSeen != stamp(w.now) {
			t.Errorf("%s sees %+v", p.name, one)
		}
		if text := out.Text(); !strings.Contains(text, "reviewer [offline]") || !strings.Contains(text, "last seen "+one.LastSeen) {
			t.Errorf("the text: %s", text)
		}
	}
	w.pass(card.Keep - time.Hour)
	bo.fileCards(t.Context())
	if _, err := cy.Resolve(w.id, ident.PublicKey{1}, "reviewer"); err != nil {
		t.Errorf("29 days: %v", err)
	}
	w.pass(time.Hour)
	bo.fileCards(t.Context())
	if _, err := cy.Resolve(w.id, ident.PublicKey{1}, "reviewer"); op.CodeOf(err) != op.NotFound {
		t.Errorf("30 days: %v", err)
	}
}

// Cards are written when something changes, and once a day.
func TestCardsAreWrittenOnChange(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	c := ana.agent(t, "a")
	writes := func() int {
		before := make(map[string]record.Clock)
		for key, e := range w.records {
			before[key] = e.Clock
		}
		w.pass(time.Millisecond)
		ana.fileCards(t.Context())
		n := 0
		for key, e := range w.records {
			if before[key] != e.Clock {
				n++
			}
		}
		return n
	}
	if n := writes(); n != 2 {
		t.Errorf("%d cards at first, want the session's and the terminal's", n)
	}
	ana.report(t, ReportRequest{AgentSession: "a", Status: "working"})
	ana.Count(c.Session, 1, 1, 1, 1)
	w.pass(time.Hour)
	ana.publish()
	if n := writes(); n != 0 {
		t.Errorf("%d cards for a status", n)
	}
	for what, change := range map[string]func(){
		"a group":   func() { ana.join(t, c, "g", "") },
		"hiding":    func() { ana.show(t, c, false) },
		"its end":   func() { ana.close(t, c) },
		"its start": func() { ana.agent(t, "a") },
	} {
		before := len(w.records)
		change()
		ana.fileCards(t.Context())
		if n := writes(); n != 0 || len(w.records) != before {
			t.Errorf("%s: %d more cards", what, n)
		}
	}
	ana.show(t, c, true)
	w.pass(card.Again)
	if n := writes(); n < 1 {
		t.Error("nobody would know after a day that it is still there")
	}
}

// A store that was lost, or put back, leaves no card open for ever.
func TestForgottenSessionsAreClosed(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	ana.named(t, "a", "old")
	ana.stop()
	ana.path = t.TempDir() + "/new"
	ana.start(t)
	ana.reloadCards(w.id)
	ana.fileCards(t.Context())
	for key, e := range w.records {
		var said card.Facts
		if err := json.Unmarshal(e.Value, &said); err != nil {
			t.Fatal(err)
		}
		if said.Name == "old" && said.Open {
			t.Errorf("card %s is open", key)
		}
	}
}

func TestCardsThatDoNotHold(t *testing.T) {
	w := newWorld()
	ana, eve := w.person(t, "ana"), w.person(t, "eve")
	ana.agent(t, "a")
	ana.fileCards(t.Context())
	kind := ana.Kinds()[0]
	for key, e := range w.records {
		if !kind.Writes(w.id, ana.key, key) || kind.Writes(w.id, eve.key, key) || kind.Writes(w.id, ana.key, strings.ToUpper(key)) {
			t.Errorf("who may write %s", key)
		}
		_, session, _ := card.Split(key)
		lie := record.Entry{Key: card.Key(eve.key, session), Value: e.Value, Author: eve.key}
		if _, ok := eve.take(w.id, lie); ok {
			t.Error("eve's card of ana's session holds")
		}
	}
}

// However many sessions come and go within a month, those that are open and the latest
// of the others have cards, and no card is written again and again.
func TestCardsOfManySessions(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	open := ana.agent(t, "stays")
	for i := range card.Most + 20 {
		w.pass(time.Second)
		c := ana.agent(t, fmt.Sprint("a", i))
		ana.close(t, c)
		ana.fileCards(t.Context())
	}
	key, err := ana.Caller(open, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, have := w.records[card.Key(ana.key, key.Session)]; !have || len(w.records) != card.Most {
		t.Errorf("%d cards, the open session's among them: %v", len(w.records), have)
	}
	before := maps.Clone(w.records)
	w.pass(time.Second)
	ana.fileCards(t.Context())
	for key, e := range w.records {
		if before[key].Clock != e.Clock {
			t.Errorf("card %s was written again", key)
		}
	}
}
