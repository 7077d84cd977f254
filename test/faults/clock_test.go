package faults

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// A machine's clock is set back by a day, or forward by a year, under a running node and
// while it is off, and set right again. Messages that are accepted meanwhile come: at
// once or, where a clock says that they are very old, or that a node speaks for its
// member no more, when it is right again; until then people are told that it is the clock.
// Nothing comes twice, members stay members, and what others wrote is shown.
func TestAClockThatJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"back a day":     -24 * time.Hour,
		"forward a year": 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ana, ben := nodetest.Start(t, "ana"), nodetest.Start(t, "ben")
			ana.Found("team")
			ben.Join(ana.Invite())
			p := &people{t: t, ana: ana, ben: ben, got: map[string]int{}, late: map[string]*nodetest.Node{}}
			p.talk("before")

			ana.Skew(jump)
			p.talk("the clock has jumped")
			ana.Restart()
			p.talk("and the node was started again")
			ben.Stop()
			p.open(ana)
			waiting := p.say(ana, p.a, "ben", "for somebody who is away")
			ben.Restart()
			p.arrives(ana, p.a, waiting)
			if jump > 0 && len(p.late) == 0 {
				t.Error("nobody was told of the clock")
			}

			ana.Skew(0)
			ana.Restart()
			p.open(ana, ben)
			for id, n := range p.late {
				if n == ana {
					p.arrives(ana, p.a, id)
				} else {
					p.arrives(ben, p.b, id)
				}
			}
			p.talk("the clock is right again")
			p.whole(jump)
		})
	}
}

// whole checks that everything came, once, and is shown.
func (p *people) whole(jump time.Duration) {
	p.t.Helper()
	for text, times := range p.got {
		if times != 1 {
			p.t.Errorf("%q came %d times", text, times)
		}
	}
	if len(p.got) != p.sent {
		p.t.Errorf("of %d messages %d came", p.sent, len(p.got))
	}
	for _, n := range []*nodetest.Node{p.ana, p.ben} {
		all := nodetest.Call(n, mesh.List, mesh.ListRequest{}).Meshes
		if len(all) != 1 || all[0].Members != 2 {
			p.t.Errorf("%s: %+v", n.Name, all)
		}
		for _, key := range p.written {
			// What was written in a year that has not come is shown then, or when it is
			// written again.
			if jump > 0 && strings.HasSuffix(key, " by ana") {
				continue
			}
			n.Wait("shown "+key, func() bool {
				all := nodetest.Call(n, state.List, state.ListRequest{}).Entries
				return slices.ContainsFunc(all, func(v state.Value) bool { return v.Key == key })
			})
		}
	}
}

// people are two who write to each other.
type people struct {
	t        *testing.T
	ana, ben *nodetest.Node
	a, b     op.Caller
	sent     int
	got      map[string]int            // texts that came
	late     map[string]*nodetest.Node // messages that wait for a clock, and who sent them
	written  []string                  // keys of shared state
}

// open opens the sessions of nodes that were started.
func (p *people) open(nodes ...*nodetest.Node) {
	for _, n := range nodes {
		if n == p.ana {
			p.a = n.Agent("a")
		} else {
			p.b = n.Agent("b")
		}
	}
}

// say has a message accepted.
func (p *people) say(n *nodetest.Node, c op.Caller, to, text string) string {
	p.t.Helper()
	p.sent++
	return nodetest.CallAs(n, c, message.Send, message.SendRequest{To: message.Targets{to}, Message: text + " from " + n.Name}).ID
}

// arrives waits until a message is delivered, or known to wait because of the clock, and
// reads what came.
func (p *people) arrives(n *nodetest.Node, c op.Caller, id string) {
	p.t.Helper()
	n.Wait("told what became of it", func() bool {
		out := nodetest.CallAs(n, c, message.Status, message.StatusRequest{ID: id})
		if out.Delivered {
			return true
		}
		put := len(out.Recipients) == 1 && out.Recipients[0].Held
		if put && !strings.Contains(out.Recipients[0].Reason, "clock") {
			p.t.Fatalf("put off: %+v", out.Recipients)
		}
		if ahead := p.ana.Now().After(time.Now().Add(time.Hour)); ahead && (put || p.turnedAway()) {
			p.late[id] = n
			return true
		}
		return false
	})
	p.read()
}

// turnedAway tells whether one of the two was not let in by the other since a clock is
// wrong, and that was noted down.
func (p *people) turnedAway() bool {
	return nodetest.Call(p.ana, audit.Query, audit.QueryRequest{}).Refused["clock"]+
		nodetest.Call(p.ben, audit.Query, audit.QueryRequest{}).Refused["clock"] > 0
}

func (p *people) read() {
	p.t.Helper()
	p.open(p.ana, p.ben)
	for _, in := range []struct {
		*nodetest.Node
		op.Caller
	}{{p.ana, p.a}, {p.ben, p.b}} {
		for _, m := range nodetest.CallAs(in.Node, in.Caller, message.Check, message.CheckRequest{}).Messages {
			p.got[m.Body]++
		}
	}
}

// talk has both write to the other, and to the shared state.
func (p *people) talk(text string) {
	p.t.Helper()
	p.open(p.ana, p.ben)
	p.arrives(p.ana, p.a, p.say(p.ana, p.a, "ben", text))
	p.arrives(p.ben, p.b, p.say(p.ben, p.b, "ana", text))
	for _, w := range []struct {
		*nodetest.Node
		c op.Caller
	}{{p.ana, p.a}, {p.ben, p.b}} {
		key := fmt.Sprint(text, " by ", w.Name)
		nodetest.CallAs(w.Node, w.c, state.Set, state.SetRequest{Key: key, Value: json.RawMessage("1")})
		p.written = append(p.written, key)
	}
}
