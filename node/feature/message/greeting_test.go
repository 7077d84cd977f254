package message

import "testing"

// What is pushed as soon as a session is back is not said to wait for its asking.
func TestAGreetingCountsWhatWaitsForAsking(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		b.Attached = false
		alice.mustSend(a, "bob", "comes by itself")
		alice.mustSend(a, "bob", "is asked for", func(r *SendRequest) { r.Priority = Low })
		settle()
		all, _, err := bob.f.Counts(*b)
		equal(t, "both wait", [2]any{all, err}, [2]any{2, nil})
		unread, _, err := bob.f.Greeting(*b)
		equal(t, "one is asked for", [2]any{unread, err}, [2]any{1, nil})
		b.Status = "working"
		unread, _, err = bob.f.Greeting(*b)
		equal(t, "none is pushed while it works", [2]any{unread, err}, [2]any{2, nil})
	})
}
