package message

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// crew runs a test with alice, bob and carol; bob has three sessions, of which two
// are in group a/b, and carol one in a.
func crew(t *testing.T, before func(*world), fn func(t *testing.T, w *world, alice, bob, carol *node)) {
	t.Helper()
	dir := memory(t)
	virtual(t, func(t *testing.T) {
		w := newWorld(t, dir, "alice", "bob", "carol")
		alice, bob, carol := w.nodes[0], w.nodes[1], w.nodes[2]
		bob.addSession("bob-2")
		bob.addSession("bob-3")
		bob.join(0, "a/b")
		bob.join(1, "a/b")
		carol.join(0, "a")
		before(w)
		w.start()
		defer w.stop()
		time.Sleep(10 * time.Second) // from then on messages go through the air
		synctest.Wait()
		fn(t, w, alice, bob, carol)
	})
}

func (n *node) join(session int, groups ...string) {
	n.locked(func() { n.groups[n.sessions[session].Session] = groups })
}

// locked changes what is known of a node's sessions.
func (n *node) locked(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// got are the texts pushed to every session of a node, one after the other.
func (n *node) got() string {
	var out []string
	for _, s := range n.sessions {
		out = append(out, n.pushes(s))
	}
	return strings.Join(out, "|")
}

// to sends to targets and wants all of them to work.
func (n *node) to(s *Self, text string, targets ...string) SendResponse {
	n.w.t.Helper()
	out, err := n.send(s, SendRequest{To: targets, Message: text})
	if err != nil {
		n.w.t.Fatalf("send to %v: %v", targets, err)
	}
	for _, r := range out.Targets {
		if !r.OK {
			n.w.t.Fatalf("send to %s: %s", r.Target, r.Error)
		}
	}
	return out
}

func TestGroups(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, carol *node) {
		a := alice.sessions[0]
		out := alice.to(a, "below", "@a/b")
		equal(t, "members", out.Targets[0].Members, 1)
		alice.to(a, "parent", "@a")
		all := alice.to(a, "all", "@all")
		equal(t, "members but the sender's own", all.Targets[0].Members, 2)
		equal(t, "as the rows of its status", len(strings.Split(alice.states(a, all.ID), ",")), 2)
		alice.to(a, "star", "team:*")
		settle()
		equal(t, "bob", bob.got(), "below,parent,all,star|below,parent,all,star|all,star")
		equal(t, "carol", carol.got(), "parent,all,star")
		equal(t, "the sender", alice.got(), "")
		equal(t, "by letter", alice.sent.Load(), 0)
		equal(t, "status", alice.states(a, out.ID), "delivered")
		m := bob.pushed(bob.sessions[0])[1]
		equal(t, "kind", m.Kind+" "+m.Target, "broadcast @a")
		time.Sleep(time.Minute)
		equal(t, "once", bob.got(), "below,parent,all,star|below,parent,all,star|all,star")
		equal(t, "nothing was sent again", alice.sent.Load(), 0)

		_, err := alice.send(a, SendRequest{To: Targets{"@nobody"}, Message: "x"})
		codeOf(t, err, op.NotFound)
	})
}

// TestDeafHomes: who hears nothing gets it by letter two seconds later, and nobody
// gets it twice.
func TestDeafHomes(t *testing.T) {
	crew(t, func(w *world) { w.deaf = 1 }, func(t *testing.T, w *world, alice, bob, carol *node) {
		out := alice.to(alice.sessions[0], "all", "*")
		time.Sleep(1900 * time.Millisecond)
		synctest.Wait()
		equal(t, "before", bob.got()+carol.got(), "||")
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		equal(t, "after 2 s", bob.got()+"|"+carol.got(), "all|all|all|all")
		equal(t, "status", alice.states(alice.sessions[0], out.ID), "delivered,delivered")

		w.change(func() { w.deaf = 0; w.loss = 0 })
		alice.to(alice.sessions[0], "more", "*")
		alice.f.Contact(w.mesh, bob.member.Public()) // its letter goes at once
		settle()
		equal(t, "both ways", bob.got(), "all,more|all,more|all,more")
	})
}

// TestAbsentMember: a member none of whose sessions is open finds it when one is, and
// is not pushed to.
func TestAbsentMember(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, carol *node) {
		a, c := alice.sessions[0], carol.sessions[0]
		carol.stop()
		id := alice.to(a, "while you were away", "*").ID
		settle()
		equal(t, "status", alice.states(a, id), stateOf(bob, carol, "delivered", "queued"))
		carol.locked(func() { carol.closed[c.Session] = true })
		carol.start()
		settle()
		equal(t, "status", alice.states(a, id), "delivered,delivered")
		carol.locked(func() { delete(carol.closed, c.Session) })
		carol.set(c, func(*Self) {})
		settle()
		equal(t, "not pushed", carol.got(), "")
		unread, _, err := carol.f.Counts(*c)
		equal(t, "unread", unread, 1)
		equal(t, "error", err, nil)
		equal(t, "pulled", carol.bodies(c), "while you were away")
		settle()
		equal(t, "status", alice.states(a, id), stateOf(bob, carol, "delivered", "seen"))
	})
}

// stateOf orders two states as message_status does.
func stateOf(x, y *node, ofX, ofY string) string {
	if x.member.Public().Compare(y.member.Public()) < 0 {
		return ofX + "," + ofY
	}
	return ofY + "," + ofX
}

// TestNobodyThere: a home where all are hidden, or none is in the group any more, has
// it and is left out of what became of it.
func TestNobodyThere(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, w *world, alice, bob, carol *node) {
		a := alice.sessions[0]
		carol.locked(func() { carol.hidden[carol.sessions[0].Session] = true })
		id := alice.to(a, "visible ones", "*").ID
		time.Sleep(3 * time.Second)
		synctest.Wait()
		equal(t, "one", alice.states(a, id), "delivered")
		equal(t, "hidden", carol.got()+carol.bodies(carol.sessions[0]), "")
		alice.mustSend(a, "carol", "direct")
		settle()
		equal(t, "direct ones arrive", carol.got(), "direct")

		w.change(func() { w.deaf = 1 })
		id = alice.to(a, "to a", "@a").ID
		carol.join(0)
		bob.join(0)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		equal(t, "who is left", bob.got(), "visible ones|visible ones,to a|visible ones")
		equal(t, "one", alice.states(a, id), "delivered")
		carol.join(0, "a")
		alice.f.Contact(w.mesh, carol.member.Public())
		time.Sleep(time.Minute)
		equal(t, "who comes later", carol.got()+carol.bodies(carol.sessions[0]), "direct")
		st, err := alice.f.status(t.Context(), opCaller(a), StatusRequest{ID: id})
		equal(t, "error", err, nil)
		equal(t, "delivered", st.Delivered, true)
	})
}

// TestMixedList: one message, and each session gets it once, whoever names it how
// often.
func TestMixedList(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, carol *node) {
		a := alice.sessions[0]
		a2 := alice.addSession("alice-2")
		out, err := alice.send(a, SendRequest{
			To: Targets{"bob-3", "@a/b", "@a", "member:bob", "alice-2", "nobody", "@nobody"}, Message: "x",
		})
		equal(t, "error", err, nil)
		var ok []bool
		for _, r := range out.Targets {
			ok = append(ok, r.OK)
		}
		equal(t, "which worked", fmt.Sprint(ok), "[true true true true true false false]")
		settle()
		equal(t, "bob", bob.got(), "x|x|x")
		equal(t, "carol", carol.got(), "x")
		equal(t, "alice", alice.pushes(a)+"|"+alice.pushes(a2), "|x")
		equal(t, "one row each", alice.states(a, out.ID), "delivered,delivered,delivered,delivered")

		_, err = alice.send(a, SendRequest{To: Targets{"nobody", "@nobody"}, Message: "x"})
		codeOf(t, err, op.NotFound)

		// The member is named too, and nobody there is in the group: it is pushed to.
		carol.join(0)
		alice.to(a, "y", "member:carol", "@a/b")
		settle()
		equal(t, "carol", carol.got(), "x,y")
		equal(t, "bob", bob.got(), "x,y|x,y|x")
	})
}

// TestNamedMemberIsAbsorbed: a list with a member and a group of it puts one message
// before the sessions of the group, and none before the member.
func TestNamedMemberIsAbsorbed(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, _ *node) {
		a := alice.sessions[0]
		bob.set(bob.sessions[2], func(s *Self) { s.LastActive = s.LastActive.Add(time.Hour) })
		id := alice.to(a, "x", "member:bob", "@a/b").ID
		settle()
		equal(t, "bob", bob.got(), "x|x|")
		equal(t, "nothing waits", bob.bodies(bob.sessions[2]), "")
		equal(t, "one row", alice.states(a, id), "delivered")
		bob.mustSend(bob.sessions[0], "alice", "y", func(r *SendRequest) { r.ReplyTo = id })
		settle()
		equal(t, "seen", alice.states(a, id), "seen")
	})
}

// TestOwnGroup: others of the sender's member get it in the accepting commit, the
// sender never.
func TestOwnGroup(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, _ *world, _, bob, carol *node) {
		out := bob.to(bob.sessions[0], "mine", "@a/b")
		equal(t, "state at once", out.Targets[0].State, Delivered)
		equal(t, "at once", bob.got(), "|mine|")
		bob.to(bob.sessions[0], "ours", "@a")
		settle()
		equal(t, "bob", bob.got(), "|mine,ours|")
		equal(t, "carol", carol.got(), "ours")
		carol.join(0, "alone")
		_, err := carol.send(carol.sessions[0], SendRequest{To: Targets{"@alone"}, Message: "x"})
		codeOf(t, err, op.NotFound)
	})
}

// TestManyInOrder: letters and the air overtake each other; each session is shown
// them in order.
func TestManyInOrder(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, w *world, alice, bob, carol *node) {
		var want []string
		for i := range 20 {
			w.change(func() { w.deaf = float64(i % 2); w.slow = 500 * time.Millisecond })
			alice.to(alice.sessions[0], fmt.Sprint(i), "@all")
			want = append(want, fmt.Sprint(i))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		all := strings.Join(want, ",")
		equal(t, "carol", carol.got(), all)
		equal(t, "bob", bob.got(), strings.Join([]string{all, all, all}, "|"))
	})
}

// TestNamedAndManyInOrder: one to a group that also names somebody outside of it comes by
// letter alone, and those to many that follow do not overtake it through the air.
func TestNamedAndManyInOrder(t *testing.T) {
	crew(t, func(w *world) { w.slow = 500 * time.Millisecond }, func(t *testing.T, _ *world, alice, _, carol *node) {
		var want []string
		for i := range 10 {
			for _, to := range [][]string{{"carol", "@a/b"}, {"*"}, {"carol", "@a/b"}} {
				text := fmt.Sprint(i, to)
				alice.to(alice.sessions[0], text, to...)
				want = append(want, text)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		equal(t, "carol", carol.got(), strings.Join(want, ","))
	})
}

func TestManyAndTheGate(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, carol *node) {
		a, c := alice.sessions[0], carol.sessions[0]
		carol.set(c, func(s *Self) { s.Status = "dnd" })
		for _, p := range []Priority{Next, Low, Now} {
			alice.mustSend(a, "*", string(p), func(r *SendRequest) { r.Priority = p })
			settle()
		}
		settle()
		equal(t, "busy", carol.got(), "now")
		carol.set(c, func(s *Self) { s.Status = "working" })
		carol.stop()
		carol.start()
		settle()
		equal(t, "after a restart", carol.got(), "now")
		carol.set(c, func(s *Self) { s.Status = "idle" })
		settle()
		equal(t, "released by the change itself", carol.got(), "now,next")
		equal(t, "low is pulled", carol.bodies(c), "low")
		equal(t, "bob was idle", bob.pushes(bob.sessions[2]), "next,now")
	})
}

func TestStatusTellsWhy(t *testing.T) {
	crew(t, func(w *world) { w.limits.Inbox.Rows, w.limits.Inbox.Bytes = 1, 1<<20 }, func(t *testing.T, _ *world, alice, bob, carol *node) {
		a := alice.sessions[0]
		carol.set(carol.sessions[0], func(s *Self) { s.Status = "dnd" })
		alice.mustSend(a, "carol", "1")
		settle()
		id := alice.mustSend(a, "*", "2")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		st, err := alice.f.status(t.Context(), opCaller(a), StatusRequest{ID: id})
		equal(t, "error", err, nil)
		i := slices.IndexFunc(st.Recipients, func(r Recipient) bool { return r.Key == carol.member.Public().String() })
		equal(t, "held", st.Recipients[i].Held, true)
		equal(t, "why", st.Recipients[i].Reason, "the inbox is full")
		if !strings.Contains(st.Text(), "held there (the inbox is full)") {
			t.Errorf("text: %s", st.Text())
		}
		carol.bodies(carol.sessions[0])
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		st, _ = alice.f.status(t.Context(), opCaller(a), StatusRequest{ID: id})
		equal(t, "then", fmt.Sprint(st.Recipients[i].State, st.Recipients[i].Reason), "delivered")
	})
}

func TestFiles(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, _ *world, alice, bob, _ *node) {
		a := alice.sessions[0]
		out, err := alice.send(a, SendRequest{To: Targets{"bob"}, Message: "see", Files: []string{"f1", strings.Repeat("f", 64)}, Priority: Low})
		equal(t, "error", err, nil)
		settle()
		got := bob.check(bob.sessions[0], CheckRequest{})
		equal(t, "files", fmt.Sprint(got.Messages[0].Files), fmt.Sprint([]string{"f1", strings.Repeat("f", 64)}))
		if !strings.Contains(got.Text(), "files f1, fff") {
			t.Errorf("%s does not name the files of %s", got.Text(), out.ID)
		}
		for says, files := range map[string][]string{
			"17 files, the limit is 16":           make([]string, 17),
			"an id has 65 bytes, the limit is 64": {strings.Repeat("f", 65)},
			"is no file id":                       {""},
		} {
			_, err := alice.send(a, SendRequest{To: Targets{"bob"}, Message: "x", Files: files})
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("error %v does not say %q", err, says)
			}
		}
	})
}

// TestBlockedCrier: a blocked member's message to many is receipted and never shown.
func TestBlockedCrier(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, w *world, alice, bob, carol *node) {
		w.change(func() { w.blocked[alice.member.Public()] = true })
		id := alice.to(alice.sessions[0], "spam", "*").ID
		time.Sleep(5 * time.Second)
		synctest.Wait()
		equal(t, "what the sender sees", alice.states(alice.sessions[0], id), "delivered,delivered")
		equal(t, "shown", bob.got()+carol.got()+carol.bodies(carol.sessions[0]), "||")
	})
}

// hear has a node judge what comes through the air.
func (n *node) hear(raw []byte) error {
	_, err := n.f.Hear(n.w.mesh, raw)
	return err
}

// TestHear judges what comes through the air.
func TestHear(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, w *world, alice, bob, carol *node) {
		a := alice.sessions[0]
		raw := cryOf(w, alice, alice.member, time.Now(), a.Key)
		w.change(func() { w.removed[alice.member.Public()] = true })
		equal(t, "of no member", bob.hear(raw), ErrLater)
		w.change(func() { delete(w.removed, alice.member.Public()) })
		equal(t, "good", bob.hear(raw), nil)
		equal(t, "one's own", alice.hear(raw), nil)
		if err := bob.hear(cryOf(w, alice, carol.member, time.Now(), a.Key)); err == nil {
			t.Error("cried by another member, and accepted")
		}
		if _, err := bob.f.Hear(ident.MeshID{9}, raw); err == nil {
			t.Error("of another mesh, and accepted")
		}
		for _, garbage := range [][]byte{nil, {1}, raw[:len(raw)-1]} {
			if err := bob.hear(garbage); err == nil {
				t.Errorf("%d bytes accepted", len(garbage))
			}
		}
		settle()
		equal(t, "stored once", bob.got(), "cried|cried|cried")
		old := cryOf(w, alice, alice.member, time.Now().Add(-11*time.Minute), a.Key)
		if err := bob.hear(old); err == nil {
			t.Error("an old one accepted")
		}
		equal(t, "signed by another session", bob.hear(cryOf(w, alice, alice.member, time.Now(), carol.member)), nil)
		settle()
		equal(t, "stored", bob.got(), "cried|cried|cried")
	})
}

// TestPassedOn: what its sender gave to everybody itself is passed on by nobody.
func TestPassedOn(t *testing.T) {
	crew(t, func(*world) {}, func(t *testing.T, w *world, alice, bob, carol *node) {
		for _, near := range []bool{false, true} {
			for _, members := range [][]*node{{bob, carol}, {carol}} { // bob among them, or not
				c := letter.Cry{Letter: cryLetter(w, alice, time.Now(), alice.sessions[0].Key), Near: near}
				for _, o := range members {
					c.Members = append(c.Members, o.member.Public())
				}
				onward, err := bob.f.Hear(w.mesh, ident.Sign(letter.KindCry, w.mesh, c.Encode(), alice.member).Marshal())
				equal(t, "error", err, nil)
				equal(t, "onward", onward, !near)
			}
		}
		settle()
	})
}
