package message

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// TestBugCatalogue holds what users of earlier programs of this kind complained of.
func TestBugCatalogue(t *testing.T) {
	t.Run("catalogue 1: send said ok, nobody got it", func(t *testing.T) {
		crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, carol *node) {
			a := alice.sessions[0]
			for _, to := range []string{"nobody", "@nobody", "other:bob"} {
				_, err := alice.send(a, SendRequest{To: Targets{to}, Message: "x"})
				codeOf(t, err, op.NotFound)
			}
			carol.stop()
			bob.stop()
			one, all := alice.mustSend(a, "carol", "x"), alice.mustSend(a, "*", "x")
			time.Sleep(5 * time.Second)
			synctest.Wait()
			equal(t, "delivered only after the receipt", alice.states(a, one)+" "+alice.states(a, all), "queued queued,queued")
			carol.start()
			settle()
			equal(t, "then", alice.states(a, one)+" "+alice.states(a, all), "delivered "+stateOf(bob, carol, "queued", "delivered"))
		})
	})
	t.Run("catalogue 2: all kinds can be read", func(t *testing.T) {
		crew(t, func(*world) {}, func(t *testing.T, w *world, alice, bob, _ *node) {
			a := alice.sessions[0]
			for _, to := range []string{"bob", "member:bob", "@a/b", "*"} {
				alice.to(a, "to "+to, to)
				settle()
			}
			alice.to(a, "to a list", "bob", "@a/b")
			w.change(func() { w.deaf = 1 })
			alice.to(a, "by letter", "*")
			time.Sleep(3 * time.Second)
			synctest.Wait()
			got := bob.pushes(bob.sessions[0])
			for _, want := range []string{"to bob", "to @a/b", "to *", "to a list", "by letter"} {
				if !slices.Contains(strings.Split(got, ","), want) {
					t.Errorf("%q is not in %q", want, got)
				}
			}
			equal(t, "the member's", strings.Contains(bob.got(), "to member:bob"), true)
		})
	})
	t.Run("catalogue 3: a message to one's own group", func(t *testing.T) {
		crew(t, func(*world) {}, func(t *testing.T, _ *world, _, bob, _ *node) {
			bob.stop()
			bob.start()
			bob.to(bob.sessions[0], "to my group", "@a/b")
			equal(t, "others of the member", bob.got(), "|to my group|")
		})
	})
	t.Run("catalogue 5: every kind of session passes the same delivery", func(t *testing.T) {
		for _, kind := range []struct{ mode, gives string }{{"push", "x,y"}, {"inbox", ""}, {"off", ""}} {
			crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, _, carol *node) {
				c := carol.sessions[0]
				carol.set(c, func(s *Self) { s.Mode = kind.mode })
				alice.mustSend(alice.sessions[0], "carol", "x")
				settle()
				alice.mustSend(alice.sessions[0], "@a", "y")
				settle()
				equal(t, kind.mode+": pushed", carol.got(), kind.gives)
				pulled := carol.bodies(c)
				if kind.gives == "" {
					equal(t, kind.mode+": pulled", pulled, "x,y")
				}
			})
		}
	})
	t.Run("catalogue 6: two sessions of one node, no cross-talk and no echo", func(t *testing.T) {
		crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, _ *node) {
			b, b2 := bob.sessions[0], bob.sessions[1]
			bob.to(b, "to all", "*")
			alice.mustSend(alice.sessions[0], "bob-2", "for bob-2")
			settle()
			equal(t, "the sender", bob.pushes(b)+bob.bodies(b), "")
			equal(t, "the other", bob.pushes(b2), "to all,for bob-2")
		})
	})
	t.Run("catalogue 7: one store, one reader", func(t *testing.T) {
		crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, _, carol *node) {
			c := carol.sessions[0]
			alice.mustSend(alice.sessions[0], "@a", "low", func(r *SendRequest) { r.Priority = Low })
			settle()
			carol.stop()
			carol.start()
			unread, _, err := carol.f.Counts(*c)
			equal(t, "error", err, nil)
			equal(t, "counted", unread, 1)
			equal(t, "and there", carol.bodies(c), "low")
		})
	})
	t.Run("catalogue 8: from is the session that called", func(t *testing.T) {
		crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, _ *node) {
			a2 := alice.addSession("alice-2")
			alice.mustSend(alice.sessions[0], "@a/b", "one")
			alice.mustSend(a2, "@a/b", "two")
			settle()
			var from []ident.PublicKey
			for _, m := range bob.pushed(bob.sessions[0]) {
				k, _ := ident.ParsePublicKeyHex(m.FromSession)
				from = append(from, k)
			}
			if !same(from, []ident.PublicKey{alice.sessions[0].Session, a2.Session}) || len(from) != 2 {
				t.Errorf("from %v", from)
			}
		})
	})
}
