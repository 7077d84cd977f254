package message

import (
	"context"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
)

// TestAnAnswerThatGotLost: a surface that dies between the answer and showing it
// loses nothing. What it took is told of, shown again marked, and seen only then.
func TestAnAnswerThatGotLost(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		id := alice.mustSend(a, b.Name, "take me", func(r *SendRequest) { r.Priority = Low })
		settle()
		equal(t, "taken", texts(bob.take(b, CheckRequest{})), "take me")
		settle()
		equal(t, "state", alice.states(a, id), "delivered")
		next := bob.check(b, CheckRequest{})
		equal(t, "not repeated unasked", texts(next), "")
		equal(t, "told of", strings.Join(next.Unconfirmed, " "), id)
		again := bob.check(b, CheckRequest{Again: true})
		equal(t, "again", texts(again), "take me")
		if !again.Messages[0].AgainOffered {
			t.Error("it is not marked")
		}
		settle()
		equal(t, "state", alice.states(a, id), "seen")
		equal(t, "nothing left", len(bob.check(b, CheckRequest{Again: true}).Messages), 0)
	})
}

// TestConfirming: only the session that was given a message can confirm it.
func TestConfirming(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		other := bob.addSession("bob-2")
		id := alice.mustSend(a, b.Name, "for bob", func(r *SendRequest) { r.Priority = Low })
		settle()
		shown := bob.take(b, CheckRequest{}).Shown()
		confirm := func(s *Self, in ReadRequest) (ReadResponse, error) {
			return bob.f.read(context.Background(), op.Caller{Session: s.ID}, in)
		}
		out, err := confirm(other, shown)
		if err != nil || out.Seen != 0 {
			t.Errorf("another session confirmed: %+v, %v", out, err)
		}
		for range 2 {
			if _, err := confirm(b, shown); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		equal(t, "state", alice.states(a, id), "seen")
		_, err = confirm(b, ReadRequest{Messages: []Shown{{ID: "nonsense", FromMember: shown.Messages[0].FromMember}}})
		codeOf(t, err, op.Invalid)
		_, err = confirm(b, ReadRequest{Messages: []Shown{{ID: id, FromMember: "nonsense"}}})
		codeOf(t, err, op.Invalid)
		_, err = confirm(b, ReadRequest{Messages: make([]Shown, checkMost+1)})
		codeOf(t, err, op.TooLarge)
	})
}
