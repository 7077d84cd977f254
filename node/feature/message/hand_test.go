package message

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// hand asks as a hook does; what it got is written, and confirmed.
func (n *node) hand(s *Self, in HandRequest) string {
	n.w.t.Helper()
	out := n.handed(s, in)
	if len(out.Messages) > 0 {
		_, request := out.Report()
		if _, err := n.f.read(context.Background(), opCaller(s), request.(ReadRequest)); err != nil {
			n.w.t.Fatalf("hand to %s: %v", s.Name, err)
		}
	}
	return handTexts(out)
}

// handed asks as a hook that dies before it has written anything.
func (n *node) handed(s *Self, in HandRequest) HandResponse {
	n.w.t.Helper()
	out, err := n.f.hand(context.Background(), opCaller(s), in)
	if err != nil {
		n.w.t.Fatalf("hand to %s: %v", s.Name, err)
	}
	return out
}

func handTexts(r HandResponse) string { return texts(CheckResponse{Messages: r.Messages}) }

// TestAHookHandsOutWhatWasPushedInVain: once, ten seconds after, and then it is seen.
func TestAHookHandsOutWhatWasPushedInVain(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		time.Sleep(time.Minute)
		id := alice.mustSend(a, b.Name, "are you there?")
		settle()
		equal(t, "pushed", bob.pushes(b), "are you there?")
		equal(t, "at once", bob.hand(b, HandRequest{Take: true}), "")
		time.Sleep(9 * time.Second)
		equal(t, "too early", bob.hand(b, HandRequest{Take: true, Turn: true}), "")
		time.Sleep(time.Second)
		equal(t, "told only", bob.hand(b, HandRequest{}), "")
		equal(t, "by the hook", bob.hand(b, HandRequest{Take: true}), "are you there?")
		settle()
		equal(t, "state", alice.states(a, id), "seen")
		time.Sleep(time.Minute)
		equal(t, "once", bob.hand(b, HandRequest{Take: true}), "")
		equal(t, "inbox", bob.bodies(b), "")
	})
}

// TestAHookThatDied: what it took is given again ten seconds later, and not to another
// hook that runs at the same time.
func TestAHookThatDied(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		alice.mustSend(a, b.Name, "take me")
		settle()
		time.Sleep(time.Minute)
		equal(t, "first", handTexts(bob.handed(b, HandRequest{Take: true})), "take me")
		equal(t, "another", handTexts(bob.handed(b, HandRequest{Take: true})), "")
		time.Sleep(10 * time.Second)
		equal(t, "later", bob.hand(b, HandRequest{Take: true}), "take me")
	})
}

// TestATranscriptProves: an id in it counts as seen, and is handed out by nobody.
func TestATranscriptProves(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		other := bob.addSession("bob-2")
		id := alice.mustSend(a, b.Name, "seen")
		settle()
		equal(t, "of another", bob.handed(other, HandRequest{Shown: []string{id}}).Seen, 0)
		equal(t, "newly seen", bob.handed(b, HandRequest{Shown: []string{id, strings.Replace(id, id[:8], "01234567", 1)}}).Seen, 1)
		settle()
		equal(t, "state", alice.states(a, id), "seen")
		time.Sleep(time.Minute)
		equal(t, "nothing left", bob.hand(b, HandRequest{Take: true, Turn: true}), "")
		equal(t, "nor twice", bob.handed(b, HandRequest{Shown: []string{id}}).Seen, 0)
		_, err := bob.f.hand(context.Background(), opCaller(b), HandRequest{Shown: []string{"nonsense"}})
		codeOf(t, err, op.Invalid)
		_, err = bob.f.hand(context.Background(), op.Caller{User: true}, HandRequest{})
		codeOf(t, err, op.Denied)
	})
}

// TestAHookObeysTheGate: what waits is handed out when it may disturb.
func TestAHookObeysTheGate(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.set(b, func(s *Self) { s.Status = "working" })
		alice.mustSend(a, b.Name, "next")
		alice.mustSend(a, b.Name, "low", func(r *SendRequest) { r.Priority = Low })
		settle()
		equal(t, "between two tools", bob.hand(b, HandRequest{Take: true}), "")
		equal(t, "where pushes come through", bob.hand(b, HandRequest{Take: true, Turn: true, Channel: true}), "")
		bob.set(b, func(s *Self) { s.Status = "dnd" })
		equal(t, "not to be disturbed", bob.hand(b, HandRequest{Take: true, Turn: true}), "")
		bob.set(b, func(s *Self) { s.Status, s.Mode = "working", "inbox" })
		equal(t, "asks for its mail", bob.hand(b, HandRequest{Take: true, Turn: true}), "")
		bob.set(b, func(s *Self) { s.Mode, s.Attached = "push", false })
		equal(t, "at the end of a turn", bob.hand(b, HandRequest{Take: true, Turn: true, Channel: true}), "next")
		bob.set(b, func(s *Self) { s.Attached = true })
		equal(t, "never pushed after", bob.pushes(b), "")
		equal(t, "inbox", bob.bodies(b), "low")
	})
}

// TestAHookShowsALittleAtATime: agents put long texts aside.
func TestAHookShowsALittleAtATime(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		for range 3 {
			alice.mustSend(a, b.Name, strings.Repeat("x", 5000))
		}
		settle()
		time.Sleep(time.Minute)
		for left := range 3 {
			out := bob.handed(b, HandRequest{Take: true})
			equal(t, "messages", len(out.Messages), 1)
			equal(t, "more", out.More, 2-left)
		}
	})
}
