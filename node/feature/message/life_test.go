package message

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// inboxOutbox is both sides of a node's store.
type inboxOutbox struct {
	in  inbox.Box
	out outbox.Box
}

func (n *node) view(fn func(inboxOutbox)) {
	n.w.t.Helper()
	err := n.db.View(func(tx *store.Tx) error {
		fn(inboxOutbox{inbox.In(tx), outbox.In(tx)})
		return nil
	})
	if err != nil {
		n.w.t.Fatalf("view: %v", err)
	}
}

func TestAwayAndBack(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.stop()
		id := alice.mustSend(a, "bob", "when you are back")
		time.Sleep(3 * time.Hour)
		alice.stop()
		time.Sleep(time.Hour)
		bob.start()
		alice.start()
		settle()
		equal(t, "state", alice.states(a, id), "delivered")
		equal(t, "pushed", bob.pushes(b), "when you are back")
		bob.check(b, CheckRequest{Again: true})
		settle()
		equal(t, "seen", alice.states(a, id), "seen")
	})
}

// TestSeenReachesTheAbsent: the news that a message was seen waits for its sender.
func TestSeenReachesTheAbsent(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		id := alice.mustSend(a, "bob", "x", func(r *SendRequest) { r.Priority = Low })
		settle()
		alice.stop()
		equal(t, "read", bob.bodies(b), "x")
		time.Sleep(time.Hour)
		bob.stop()
		bob.start()
		alice.start()
		settle()
		equal(t, "state", alice.states(a, id), "seen")
		bob.view(func(m inboxOutbox) { equal(t, "homes with news", len(m.out.Homes()), 0) })
	})
}

func TestExpiry(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.stop()
		short := alice.mustSend(a, "bob", "short", func(r *SendRequest) { r.ExpiresIn = "90s" })
		long := alice.mustSend(a, "bob", "long", func(r *SendRequest) { r.ExpiresIn = "3d" })
		time.Sleep(89 * time.Second)
		equal(t, "before", alice.states(a, short), "queued")
		time.Sleep(2 * time.Second)
		settle()
		equal(t, "after", alice.states(a, short), "expired")
		out, err := alice.f.status(context.Background(), opCaller(a), StatusRequest{ID: short})
		if err != nil || !strings.Contains(out.Recipients[0].Reason, "no receipt") {
			t.Errorf("status %+v, %v", out, err)
		}

		alice.stop()
		time.Sleep(40 * day) // counts as one
		alice.start()
		time.Sleep(47 * time.Hour)
		settle()
		equal(t, "a stop counts as a day", alice.states(a, long), "queued")
		time.Sleep(2 * time.Hour)
		settle()
		equal(t, "three days", alice.states(a, long), "expired")
		bob.start()
		settle()
		equal(t, "nothing arrives", bob.pushes(b)+bob.bodies(b), "")
		alice.view(func(m inboxOutbox) {
			u := m.out.Usage()
			equal(t, "rows counted", u.Rows, 0)
			equal(t, "bytes counted", u.Bytes, 0)
		})
	})
}

// TestDeliveredBeatsExpired: a receipt that comes late tells the truth.
func TestDeliveredBeatsExpired(t *testing.T) {
	scene(t, func(t *testing.T, w *world, alice, bob *node) {
		a := alice.sessions[0]
		w.change(func() { w.slow = time.Hour })
		id := alice.mustSend(a, "bob", "slow", func(r *SendRequest) { r.ExpiresIn = "1s" })
		time.Sleep(3 * time.Second)
		equal(t, "state", alice.states(a, id), "expired")
		time.Sleep(time.Hour)
		settle()
		equal(t, "state", alice.states(a, id), "delivered")
	})
}

func TestRemovedRecipient(t *testing.T) {
	scene(t, func(t *testing.T, w *world, alice, bob *node) {
		a := alice.sessions[0]
		bob.stop()
		id := alice.mustSend(a, "bob", "x")
		w.change(func() { w.removed[bob.member.Public()] = true })
		time.Sleep(2 * time.Minute)
		settle()
		equal(t, "state", alice.states(a, id), "refused")
	})
}

// TestRetries counts tries while nothing is heard: 1, 2, 4 … 60 s apart.
func TestRetries(t *testing.T) {
	scene(t, func(t *testing.T, w *world, alice, bob *node) {
		w.change(func() { w.loss = 1 })
		alice.mustSend(alice.sessions[0], "bob", "x")
		synctest.Wait()
		var at time.Duration
		for n, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			equal(t, "tries until "+at.String(), alice.sent.Load(), int64(n+1))
			time.Sleep(wait*time.Second - time.Millisecond)
			synctest.Wait()
			equal(t, "tries just before the next", alice.sent.Load(), int64(n+1))
			time.Sleep(time.Millisecond)
			synctest.Wait()
			at += wait * time.Second
		}
	})
}

// TestPruning has hours for what are days by default.
func TestPruning(t *testing.T) {
	hours := Limits{
		Keep:     inbox.Retention{Read: 30 * time.Hour, Unread: 90 * time.Hour, Keys: 40 * time.Hour},
		KeepSent: 40 * time.Hour,
	}
	staged(t, func(w *world) { w.limits = hours }, func(t *testing.T, w *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.set(b, func(s *Self) { s.Status = "dnd" })
		read := alice.mustSend(a, "bob", "read")
		settle()
		equal(t, "read", bob.bodies(b), "read")
		unread := alice.mustSend(a, "bob", "unread")
		settle()
		has := func(id string) (key, text bool) {
			bob.view(func(m inboxOutbox) {
				e, ok, err := m.in.Get(inbox.Key{Mesh: w.mesh, Address: b.Session, ID: parseID(id), Origin: a.Member})
				equal(t, "error", err, nil)
				key, text = ok, e.Size > 0
			})
			return key, text
		}
		at := func(d time.Duration, readKey, readText, unreadKey, unreadText, remembered bool) {
			t.Helper()
			time.Sleep(d)
			settle()
			k, x := has(read)
			k2, x2 := has(unread)
			known := false
			alice.view(func(m inboxOutbox) { _, known, _ = m.out.Message(w.mesh, parseID(unread)) })
			got := [5]bool{k, x, k2, x2, known}
			if want := [5]bool{readKey, readText, unreadKey, unreadText, remembered}; got != want {
				t.Errorf("%v, want %v", got, want)
			}
		}
		at(29*time.Hour, true, true, true, true, true)
		at(3*time.Hour, true, false, true, true, true)
		at(10*time.Hour, false, false, true, true, false)
		equal(t, "what was never read is still there", countOf(bob, b), 1)
		at(50*time.Hour, false, false, false, false, false)
		bob.view(func(m inboxOutbox) {
			u := m.in.Usage(w.mesh)
			equal(t, "rows counted", u.Rows, 0)
			equal(t, "bytes counted", u.Bytes, 0)
		})
	})
}

func countOf(n *node, s *Self) int {
	unread, _, err := n.f.Counts(*s)
	if err != nil {
		n.w.t.Fatalf("counts: %v", err)
	}
	return unread
}

// TestManyAtOnce: more than a window goes to one home, in order and once.
func TestManyAtOnce(t *testing.T) {
	scene(t, func(t *testing.T, w *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.stop()
		var want []string
		for i := range 3 * delivery.WindowSize {
			text := letter.ID{byte(i >> 8), byte(i), 1}.String()
			want = append(want, text)
			alice.mustSend(a, "bob", text)
		}
		bob.start()
		time.Sleep(10 * time.Second)
		settle()
		if got := bob.pushes(b); got != strings.Join(want, ",") {
			t.Errorf("%d bytes arrived, want %d", len(got), len(strings.Join(want, ",")))
		}
		alice.view(func(m inboxOutbox) { equal(t, "rows left", m.out.Usage().Rows, 0) })
	})
}

func TestLargeAnswers(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		for range 20 {
			alice.mustSend(a, "bob", strings.Repeat("x", letter.MaxBody), func(r *SendRequest) { r.Priority = Low })
		}
		settle()
		total, calls := 0, 0
		for more := 20; more > 0; calls++ {
			got := bob.check(b, CheckRequest{})
			total += len(got.Messages)
			more = got.More
			equal(t, "what is left", got.More, 20-total)
		}
		equal(t, "all came", total, 20)
		equal(t, "in parts", calls, 2)
		_, err := bob.f.check(context.Background(), opCaller(b), CheckRequest{Limit: 501})
		codeOf(t, err, "invalid")
	})
}

// TestRestartBetweenArrivalAndOffer: mail that came while nobody was there is
// offered when the node is up again, without any knock.
func TestRestartBetweenArrivalAndOffer(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.set(b, func(s *Self) { s.Attached = false })
		alice.mustSend(a, "bob", "x")
		settle()
		bob.stop()
		b.Attached = true
		bob.start()
		settle()
		equal(t, "pushed", bob.pushes(b), "x")
	})
}

func TestWrongClocks(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		for i, skew := range []time.Duration{-39 * day, 0, 400 * day} {
			l := forge(a, b, byte(i+1), string(rune('a'+i)))
			l.msg.Created = l.msg.Created.Add(skew)
			equal(t, "receipt", bob.deliver(alice, l), "d")
		}
		equal(t, "pushed", bob.pushes(b), "a,b,c")
	})
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty config was accepted")
	}
}

// TestRepliesToWhatIsNotReceived: to one's own message, and to one not known here.
func TestRepliesToWhatIsNotReceived(t *testing.T) {
	scene(t, func(t *testing.T, w *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		first := alice.mustSend(a, "bob", "first")
		more := alice.mustSend(a, "bob", "one thing more", func(r *SendRequest) { r.ReplyTo = first })
		unknown := "0190a8f2-7c3e-7b1a-9d42-5f60718293a4"
		other := alice.mustSend(a, "bob", "about that", func(r *SendRequest) { r.ReplyTo = unknown })
		settle()
		equal(t, "pushed", bob.pushes(b), "first,one thing more,about that")
		alice.view(func(m inboxOutbox) {
			get := func(id string) outbox.Message {
				msg, _, err := m.out.Message(w.mesh, parseID(id))
				equal(t, "error", err, nil)
				return msg
			}
			equal(t, "one conversation", get(more).Cause, get(first).Cause)
			equal(t, "depth", get(more).Depth, 1)
			equal(t, "thread", get(more).Thread.String(), first)
			equal(t, "another conversation", get(other).Depth, 0)
			equal(t, "its thread", get(other).Thread.String(), unknown)
		})
	})
}

// TestSeveralHomes: one message for many is one text and a row each.
func TestSeveralHomes(t *testing.T) {
	staged(t, func(w *world) {
		carol := &node{w: w, name: "carol", member: ident.PrivateKeyFromSeed([32]byte{3, 1})}
		w.nodes = append(w.nodes, carol)
		carol.addSession("carol")
		w.nodes[1].addSession("bob-2")
	}, func(t *testing.T, w *world, alice, bob *node) {
		a, carol := alice.sessions[0], w.nodes[2]
		carol.stop()
		out, err := alice.send(a, SendRequest{To: Targets{"bob", "carol", "bob-2", "member:alice"}, Message: "all of you"})
		equal(t, "error", err, nil)
		settle()
		equal(t, "states", alice.states(a, out.ID), "delivered,queued,delivered,delivered")
		for _, s := range bob.sessions {
			equal(t, s.Name, bob.pushes(s), "all of you")
		}
		bob.mustSend(bob.sessions[1], "alice", "yes", func(r *SendRequest) { r.ReplyTo = out.ID })
		carol.start()
		settle()
		equal(t, "states", alice.states(a, out.ID), "delivered,delivered,seen,delivered")
		alice.view(func(m inboxOutbox) {
			statement, _, err := m.out.Text(w.mesh, parseID(out.ID))
			equal(t, "error", err, nil)
			equal(t, "the text is gone when all have it", len(statement), 0)
		})
	})
}
