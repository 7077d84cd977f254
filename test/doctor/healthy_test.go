package doctor

import (
	"regexp"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// Where everything works, with another member and an agent's session, nothing is wrong:
// peers are reached in so many milliseconds, and the session has told what it speaks.
func TestAHealthyHomePasses(t *testing.T) {
	h := newWard(t)
	h.team()
	ben := h.join("ben")
	agent, err := h.Agent(h.ctx, harness.AgentConfig{Session: "s1"})
	h.check(err)
	_, err = agent.Await(h.ctx, 0, func(c harness.Channel) bool { return c.Kind() == "welcome" })
	h.check(err)
	h.check(harness.Until(h.ctx, func() (bool, any, error) {
		out, err := presence.Peers.Call(h.ctx, h.API(), op.Caller{}, presence.PeersRequest{All: true})
		if err != nil || len(out.Meshes) == 0 {
			return false, nil, err
		}
		for _, p := range out.Meshes[0].Peers {
			if p.Name == "ben" && p.Path == "local" {
				return true, nil, nil
			}
		}
		return false, out, nil
	}))
	h.compared(1) // its clock comes a moment after the connection
	s := h.doctor()
	slow := 0 // how long a hook takes depends on what else this machine does
	if _, _, is := s.find("hook-time", "is too slow", ""); is {
		slow = 1
	}
	if !s.OK || s.Warnings > slow {
		t.Errorf("something is wrong:\n%s", s)
	}
	for _, want := range [][2]string{
		{"protocol", ": 2025-11-25 with claude-code 2.1.330"}, {"channels", "not known yet whether channels reach"},
		{"peers", "team: ben "}, {"clock", "as the clocks of 1 other member"}, {"invites", "1 used up"}, {"refused", "nothing was ever refused"},
		{"keys", "2 keys, all sign and verify"}, {"mcp", "registered with claude"}, {"node", "it runs: v"},
	} {
		if _, _, ok := s.find(want[0], want[1], ""); !ok {
			t.Errorf("%s does not say %q:\n%s", want[0], want[1], s)
		}
	}
	if _, _, ok := s.find("channels", "", "Channel notifications"); !ok {
		t.Error("it is not said how to find out whether channels are on")
	}
	// The text has the same facts.
	text := h.timed("doctor").Stdout
	ms := regexp.MustCompile(`[0-9.]+ ms`) // it is another one each time
	for _, c := range s.Checks {
		for _, f := range c.Findings {
			if f.Fix != "" && !strings.Contains(text, f.Fix) {
				t.Errorf("the text lacks %q", f.Fix)
			}
			if c.Check == "node" || c.Check == "disk" || c.Check == "hook-time" {
				continue // figures that differ
			}
			if !strings.Contains(ms.ReplaceAllString(text, "MS"), ms.ReplaceAllString(f.Detail, "MS")) {
				t.Errorf("the text lacks %q:\n%s", f.Detail, text)
			}
		}
	}
	h.check(ben.Stop(h.ctx))
}

// Whether pushes arrive is known from what hooks see.
func TestChannelsAreKnownByWhatArrives(t *testing.T) {
	h := newWard(t)
	h.team()
	agent, err := h.Agent(h.ctx, harness.AgentConfig{Session: "s1", Name: "worker"})
	h.check(err)
	_, err = agent.Await(h.ctx, 0, func(c harness.Channel) bool { return c.Kind() == "welcome" })
	h.check(err)
	h.must("send", "worker", "hello")
	got, err := agent.Await(h.ctx, 0, func(c harness.Channel) bool { return c.Kind() == "direct" })
	h.check(err)
	if _, _, ok := h.doctor().find("channels", "1 message pushed, none seen to arrive", "--debug-file"); !ok {
		t.Errorf("a push in vain is not told:\n%s", h.doctor())
	}
	// What a hook says that has seen the message in its agent's transcript.
	as := []string{"CLAUDE_CODE_SESSION_ID=s1"}
	out, err := h.CommandEnv(h.ctx, as, "call", "message.hand", `{"shown":["`+got.ID()+`"],"channel":true}`)
	if err != nil || out.Status != 0 {
		t.Fatal(err, out)
	}
	if status, _, ok := h.doctor().find("channels", "channels reach worker", ""); !ok || status != "pass" {
		t.Errorf("what arrived is not told:\n%s", h.doctor())
	}
	// A session whose server agreed on a revision under which channels are dropped.
	out, err = h.CommandEnv(h.ctx, as, "call", "session.speak", `{"protocol":"2026-07-28","client":"claude-code 9"}`)
	if err != nil || out.Status != 0 {
		t.Fatal(err, out)
	}
	if status, _, ok := h.doctor().find("protocol", "session worker speaks revision 2026-07-28 of the protocol, under which claude-code 9 drops", "restart that agent"); !ok || status != "fail" {
		t.Errorf("the wrong revision is not told:\n%s", h.doctor())
	}
}
