package message

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
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

// block stops the store's writer, with whatever it has taken, until release.
func (n *node) block(all *sync.WaitGroup) (release func()) {
	held, end := make(chan struct{}), make(chan struct{})
	all.Go(func() {
		err := n.db.Update(context.Background(), func(*store.Tx) error {
			close(held)
			<-end
			return nil
		})
		if err != nil {
			n.w.t.Logf("block: %v", err)
		}
	})
	return func() { <-held; close(end) }
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
		release := alice.block(&all)
		synctest.Wait()
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
		synctest.Wait()
		release()
		all.Wait()
		equal(t, "answered", got[""], 5)
		equal(t, "conflicts", got[op.Conflict], 5)
		settle()
		equal(t, "pushed", len(bob.pushed(b)), 1)
	})
}

// TestCommitsThatRunAgain: operations that fail after writing make the others of
// their commit run again, when letters have left already.
func TestCommitsThatRunAgain(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		alice.mustSend(a, "bob", "first")
		settle()
		spoiled := errors.New("spoiled")
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() { alice.mustSend(a, "bob", fmt.Sprint(i)) })
			if i%5 != 0 {
				continue
			}
			all.Go(func() {
				err := alice.db.Update(context.Background(), func(tx *store.Tx) error {
					if err := tx.Bucket("spoil").Put([]byte{byte(i)}, nil); err != nil {
						return err
					}
					return spoiled
				})
				if !errors.Is(err, spoiled) {
					t.Errorf("update: %v", err)
				}
			})
		}
		all.Wait()
		time.Sleep(time.Minute)
		settle()
		seen := map[string]int{}
		for _, body := range strings.Split(bob.pushes(b), ",") {
			seen[body]++
		}
		equal(t, "messages", len(seen), 101)
		for body, n := range seen {
			equal(t, "pushes of "+body, n, 1)
		}
		alice.view(func(m inboxOutbox) { equal(t, "rows left", m.out.Usage().Rows, 0) })
	})
}

// TestLeavesEarly: a letter reaches the other node before its own commit is done.
func TestLeavesEarly(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		alice.mustSend(a, "bob", "first")
		settle()
		var all sync.WaitGroup
		first := alice.block(&all)
		synctest.Wait()
		all.Go(func() { alice.mustSend(a, "bob", "second") })
		synctest.Wait()
		second := alice.block(&all)
		synctest.Wait()
		first()
		time.Sleep(5 * time.Second) // tries go on meanwhile
		synctest.Wait()
		equal(t, "while the commit runs", bob.pushes(b), "first,second")
		second()
		all.Wait()
		settle()
		equal(t, "afterwards", bob.pushes(b), "first,second")
		alice.view(func(m inboxOutbox) { equal(t, "rows left", m.out.Usage().Rows, 0) })
	})
}
