package message

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/cause"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// agents are sessions that answer everything they are shown.
type agents struct {
	t       *testing.T
	w       *world
	who     []agent
	handled map[string]int  // by session: how many pushes it has dealt with
	told    map[string]bool // sessions that were refused, or got a notice
	sent    int
}

type agent struct {
	n *node
	s *Self
}

func newAgents(t *testing.T, w *world) *agents {
	g := &agents{t: t, w: w, handled: map[string]int{}, told: map[string]bool{}}
	for _, n := range w.nodes {
		for _, s := range n.sessions {
			g.who = append(g.who, agent{n, s})
		}
	}
	return g
}

// round has each agent answer what is new to it, to all and to the asker. It reports
// whether anybody had something to answer.
func (g *agents) round(pause time.Duration) (busy bool) {
	for _, a := range g.who {
		all := a.n.pushed(a.s)
		news := all[g.handled[a.s.ID]:]
		g.handled[a.s.ID] = len(all)
		for _, m := range news {
			busy = true
			if m.Kind == "system" {
				g.told[a.s.ID] = true
				continue
			}
			for _, r := range []SendRequest{
				{To: Targets{"@all"}, Message: "I agree", ReplyTo: m.ID},
				{To: Targets{m.FromSession}, Message: "thank you"},
			} {
				_, err := a.n.send(a.s, r)
				switch {
				case err == nil:
					g.sent++
				case op.CodeOf(err) == op.Denied && op.AsError(err).Hint != "":
					g.told[a.s.ID] = true
				default:
					g.t.Fatalf("%s: %v", a.s.Name, err)
				}
			}
			time.Sleep(pause)
		}
	}
	return busy
}

// TestAgentsThatAnswerEverything: seventeen agents that answer everything, to all and
// to the asker, stop within the limit, and every one of them is told why.
func TestAgentsThatAnswerEverything(t *testing.T) {
	for name, homes := range map[string]int{"on one node": 1, "on three nodes": 3, "on seventeen nodes": 17} {
		t.Run(name, func(t *testing.T) {
			dir := memory(t)
			virtual(t, func(t *testing.T) {
				var names []string
				for i := range homes {
					names = append(names, fmt.Sprintf("node%d", i))
				}
				w := newWorld(t, dir, names...)
				for i := range 17 - homes {
					n := w.nodes[i%homes]
					n.addSession(fmt.Sprintf("%s-%d", n.name, i))
				}
				w.start()
				defer w.stop()
				g := newAgents(t, w)
				first := w.nodes[0]
				out, err := first.f.send(t.Context(), op.Caller{User: true}, SendRequest{To: Targets{"*"}, Message: "what do you think?"})
				if err != nil {
					t.Fatal(err)
				}
				settle()
				rounds := 0
				for ; g.round(100*time.Millisecond) && rounds < 100; rounds++ {
					settle()
				}
				// Each node stops by what it has seen: on one node that is all there is. What
				// went between two others it does not see, so of many nodes the last to
				// stop is a little later.
				most := 64
				if homes > 1 {
					most = 3 * 64
				}
				if rounds > 10 || g.sent+1 > most {
					t.Errorf("%d messages in %d rounds", g.sent+1, rounds)
				}
				for _, n := range w.nodes {
					if n.counted(first, out.ID)+2 < 64 {
						t.Errorf("%s stopped early", n.name)
					}
				}
				for _, a := range g.who {
					if !g.told[a.s.ID] {
						t.Errorf("%s was not told", a.s.Name)
					}
				}
			})
		})
	}
}

// TestNotice: who wrote last is told, in the mesh's own words, once, and cannot answer.
func TestNotice(t *testing.T) {
	for name, sameNode := range map[string]bool{"on another node": false, "on the same node": true} {
		t.Run(name, func(t *testing.T) {
			staged(t, func(w *world) { w.limits.CauseDepth = 2 }, func(t *testing.T, w *world, alice, bob *node) {
				if sameNode {
					alice.addSession("bob")
					w.nodes[1].sessions[0].Name = "other"
					bob = alice
				}
				a, b := alice.sessions[0], bob.sessions[len(bob.sessions)-1]
				one := alice.mustSend(a, "bob", "1")
				settle()
				two := bob.mustSend(b, "alice", "2", func(r *SendRequest) { r.ReplyTo = one })
				settle()
				three := alice.mustSend(a, "bob", "3", func(r *SendRequest) { r.ReplyTo = two })
				settle()
				for range 3 {
					_, err := bob.send(b, SendRequest{To: Targets{"alice"}, Message: "4", ReplyTo: three})
					codeOf(t, err, op.Denied)
					settle()
				}
				got := alice.pushed(a)
				equal(t, "pushed", len(got), 2)
				n := got[1]
				equal(t, "kind", n.Kind, "system")
				equal(t, "about", n.ReplyTo, three)
				if !strings.HasPrefix(n.Body, "bob was not let answer you") {
					t.Errorf("notice %q", n.Body)
				}
				_, err := alice.send(a, SendRequest{To: Targets{"bob"}, Message: "why?", ReplyTo: n.ID})
				codeOf(t, err, op.Denied)
				// Without a person it goes on with the conversation that has ended.
				_, err = bob.send(b, SendRequest{To: Targets{"alice"}, Message: "well"})
				codeOf(t, err, op.Denied)
				bob.set(b, func(s *Self) { s.Prompted = time.Now() })
				bob.mustSend(b, "alice", "my person asks")
				settle()
				equal(t, "a new one", alice.pushes(a), "2,"+n.Body+",my person asks")
			})
		})
	}
}

// TestCauseIsInherited: what names no message it answers goes on from what its session
// was shown last, unless a person spoke in between.
func TestCauseIsInherited(t *testing.T) {
	staged(t, func(w *world) { w.limits.CauseDepth = 1 }, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		send := func(n *node, s *Self, to string) op.Code {
			_, err := n.send(s, SendRequest{To: Targets{to}, Message: "x"})
			settle()
			return op.CodeOf(err)
		}
		equal(t, "the first", send(alice, a, "bob"), op.Code(""))
		equal(t, "the answer", send(bob, b, "alice"), op.Code(""))
		equal(t, "the answer to it", send(alice, a, "bob"), op.Denied)
		time.Sleep(10 * time.Minute)
		equal(t, "ten minutes later, without hooks", send(alice, a, "bob"), op.Code(""))
		equal(t, "its answer", send(bob, b, "alice"), op.Code(""))
		alice.set(a, func(s *Self) { s.Prompted = time.Now().Add(-time.Hour) })
		time.Sleep(10 * time.Minute)
		equal(t, "ten minutes later, with hooks", send(alice, a, "bob"), op.Denied)
		alice.stop()
		alice.start()
		settle()
		equal(t, "after a restart", send(alice, a, "bob"), op.Denied)
		alice.set(a, func(s *Self) { s.Prompted = time.Now() })
		equal(t, "after a prompt", send(alice, a, "bob"), op.Code(""))
		_, err := alice.f.send(t.Context(), op.Caller{User: true}, SendRequest{To: Targets{"bob"}, Message: "x"})
		equal(t, "a person", err, nil)
	})
}

// TestPipeline: thirty steps in a row, each passing on to the next, are no chatter.
func TestPipeline(t *testing.T) {
	dir := memory(t)
	virtual(t, func(t *testing.T) {
		w := newWorld(t, dir, "n0", "n1", "n2")
		for i := range 28 {
			w.nodes[i%3].addSession(fmt.Sprintf("step%d", i))
		}
		w.start()
		defer w.stop()
		var steps []agent
		for _, n := range w.nodes {
			for _, s := range n.sessions {
				steps = append(steps, agent{n, s})
			}
		}
		for i := range 30 {
			if _, err := steps[i].n.send(steps[i].s, SendRequest{To: Targets{steps[i+1].s.Name}, Message: fmt.Sprint(i)}); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			settle()
			equal(t, "passed on", steps[i+1].n.pushes(steps[i+1].s), fmt.Sprint(i))
		}
	})
}

// counted is how many messages a node counts of the cause that a message began.
func (n *node) counted(sender *node, id string) (count uint64) {
	n.w.t.Helper()
	err := n.db.View(func(tx *store.Tx) error {
		count = cause.In(tx).Count(letter.CauseOf(sender.member.Public(), parseID(id)))
		return nil
	})
	if err != nil {
		n.w.t.Fatalf("count: %v", err)
	}
	return count
}
