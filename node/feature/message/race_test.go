package message

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// TestGateOpensDuringArrival: a session attaches between the moment an arrival asks
// who is there and its commit.
func TestGateOpensDuringArrival(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		b2 := bob.addSession("bob-2")
		for _, s := range []*Self{b, b2} {
			bob.set(s, func(s *Self) { s.Attached = false })
		}
		synctest.Wait()
		attach := func(s *Self) func() {
			return func() {
				bob.set(s, func(s *Self) { s.Attached = true })
				time.Sleep(time.Second)
			}
		}
		bob.listed = attach(b)
		equal(t, "receipt", bob.deliver(alice, forge(a, b, 1, "from afar")), "d")
		settle()
		equal(t, "pushed", bob.pushes(b), "from afar")
		bob.listed = attach(b2)
		bob.mustSend(b, "bob-2", "from here")
		settle()
		equal(t, "pushed", bob.pushes(b2), "from here")
	})
}

// TestSameIDAtOnce: of several equal requests at the same moment one is a message,
// and all get its answer.
func TestSameIDAtOnce(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		r := SendRequest{To: Targets{"bob"}, Message: "once", ID: "0190a8f2-7c3e-7b1a-9d42-5f60718293a4"}
		other := r
		other.Message = "twice"
		var all sync.WaitGroup
		var mu sync.Mutex
		got := map[op.Code]int{}
		for i := range 10 {
			all.Go(func() {
				in := r
				if i%2 == 0 {
					in = other
				}
				_, err := alice.send(a, in)
				mu.Lock()
				defer mu.Unlock()
				got[op.CodeOf(err)]++
			})
		}
		all.Wait()
		equal(t, "answered", got[""], 5)
		equal(t, "conflicts", got[op.Conflict], 5)
		settle()
		equal(t, "pushed", len(bob.pushed(b)), 1)
	})
}
