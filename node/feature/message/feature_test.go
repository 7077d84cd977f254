package message

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/op/optest"
)

// scene runs a test with two nodes, alice and bob, each with a session of that
// name, in a bubble with its own time.
func scene(t *testing.T, fn func(t *testing.T, w *world, alice, bob *node)) {
	t.Helper()
	staged(t, func(*world) {}, fn)
}

// staged is scene with a world changed before it starts.
func staged(t *testing.T, before func(*world), fn func(t *testing.T, w *world, alice, bob *node)) {
	t.Helper()
	dir := memory(t)
	virtual(t, func(t *testing.T) {
		w := newWorld(t, dir, "alice", "bob")
		before(w)
		w.start()
		defer w.stop()
		synctest.Wait()
		fn(t, w, w.nodes[0], w.nodes[1])
	})
}

func settle() {
	time.Sleep(500 * time.Millisecond)
	synctest.Wait()
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestPushAndReceipts(t *testing.T) {
	scene(t, func(t *testing.T, w *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		id := alice.mustSend(a, "bob", "hello")
		settle()
		equal(t, "state", alice.states(a, id), "delivered")
		equal(t, "pushed", bob.pushes(b), "hello")
		m := bob.pushed(b)[0]
		want := op.Message{
			ID: id, FromName: "alice", FromSession: a.Session.String(), FromMember: a.Member.String(), Priority: "next",
			Kind: "direct", Body: "hello", SentAt: m.SentAt, DeliveredAt: m.DeliveredAt, ToSession: b.Session.String(),
		}
		equal(t, "what is pushed", fmt.Sprintf("%+v", m), fmt.Sprintf("%+v", want))
		e := bob.feed(b, op.TopicMessage)[0]
		equal(t, "mesh", e.Mesh, w.mesh.String())
		equal(t, "slug", e.Slug, "team")

		got := bob.check(b, CheckRequest{})
		equal(t, "pushed ones are not repeated", len(got.Messages), 0)
		equal(t, "unconfirmed", strings.Join(got.Unconfirmed, ","), id)

		bob.mustSend(b, "alice", "hi", func(r *SendRequest) { r.ReplyTo = id })
		settle()
		equal(t, "state after the reply", alice.states(a, id), "seen")
		equal(t, "the reply", alice.pushes(a), "hi")
		equal(t, "unconfirmed after the reply", len(bob.check(b, CheckRequest{}).Unconfirmed), 0)
	})
}

func TestAgainIsMarked(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		first := alice.mustSend(a, "bob", "one")
		alice.mustSend(a, "bob", "two", func(r *SendRequest) { r.Priority = Low })
		settle()
		unread, unconfirmed, err := bob.f.Counts(*b)
		equal(t, "counts", [2]int{unread, unconfirmed}, [2]int{1, 1})
		equal(t, "error", err, nil)
		unread, _, err = bob.f.Greeting(*b)
		equal(t, "low waits to be asked for", unread, 1)
		equal(t, "error of the greeting", err, nil)
		got := bob.check(b, CheckRequest{Again: true})
		equal(t, "texts", texts(got), "one,two")
		equal(t, "the first is marked", got.Messages[0].AgainOffered, true)
		equal(t, "the second is not", got.Messages[1].AgainOffered, false)
		equal(t, "nothing is left", len(got.Unconfirmed)+got.More, 0)
		settle()
		equal(t, "state", alice.states(a, first), "seen")
		equal(t, "nothing twice", bob.bodies(b), "")
	})
}

func TestSameNode(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, _ *node) {
		a := alice.sessions[0]
		a2 := alice.addSession("alice-2")
		out, err := alice.send(a, SendRequest{To: Targets{"alice-2"}, Message: "psst"})
		equal(t, "error", err, nil)
		equal(t, "state at once", out.Targets[0].State, Delivered)
		equal(t, "pushed at once", alice.pushes(a2), "psst")
		equal(t, "not to the sender", alice.pushes(a), "")
		alice.mustSend(a2, "alice", "yes?", func(r *SendRequest) { r.ReplyTo = out.ID })
		equal(t, "state", alice.states(a, out.ID), "seen")
		_, err = alice.send(a, SendRequest{To: Targets{a.Session.String()[:12]}, Message: "me"})
		codeOf(t, err, op.NotFound)
	})
}

func TestIdempotent(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		r := SendRequest{To: Targets{"bob"}, Message: "once", ID: "0190a8f2-7c3e-7b1a-9d42-5f60718293a4"}
		first, err := alice.send(a, r)
		equal(t, "error", err, nil)
		settle()
		alice.stop()
		alice.start()
		again, err := alice.send(a, r)
		equal(t, "error", err, nil)
		equal(t, "the first answer", again.Targets[0], first.Targets[0])
		changed := r
		changed.Priority = Now
		_, err = alice.send(a, changed)
		codeOf(t, err, op.Conflict)
		a2 := alice.addSession("alice-2")
		_, err = alice.send(a2, r)
		codeOf(t, err, op.Conflict)
		settle()
		equal(t, "pushed once", bob.pushes(b), "once")
	})
}

func TestTargets(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		out, err := alice.send(a, SendRequest{
			To: Targets{"member:bob", "bob", b.Session.String(), "nobody"}, Message: "hello",
		})
		equal(t, "error", err, nil)
		for i, r := range out.Targets[:3] {
			if !r.OK || r.Key != b.Session.String() {
				t.Errorf("target %d: %+v", i, r)
			}
		}
		if r := out.Targets[3]; r.OK || !strings.Contains(r.Error, "nobody") {
			t.Errorf("the unknown one: %+v", r)
		}
		settle()
		equal(t, "one row", alice.states(a, out.ID), "delivered")
		equal(t, "one push", bob.pushes(b), "hello")

		_, err = alice.send(a, SendRequest{To: Targets{"nobody"}, Message: "x"})
		codeOf(t, err, op.NotFound)
		_, err = alice.send(a, SendRequest{To: Targets{"nobody", "no one"}, Message: "x"})
		codeOf(t, err, op.NotFound)
		if !strings.Contains(err.Error(), "no one") {
			t.Errorf("the error names not all: %v", err)
		}
	})
}

func TestRefusedRequests(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, _ *node) {
		many := make(Targets, 257)
		for i := range many {
			many[i] = "bob"
		}
		cases := []struct {
			name string
			in   SendRequest
			code op.Code
			says string
		}{
			{"empty", SendRequest{To: Targets{"bob"}}, op.Invalid, "empty"},
			{"too long", SendRequest{To: Targets{"bob"}, Message: strings.Repeat("x", 65537)}, op.TooLarge, "65537 bytes, the limit is 65536"},
			{"not UTF-8", SendRequest{To: Targets{"bob"}, Message: "\xff"}, op.Invalid, "UTF-8"},
			{"no target", SendRequest{Message: "x"}, op.Invalid, "target"},
			{"too many targets", SendRequest{To: many, Message: "x"}, op.TooLarge, "257 targets, the limit is 256"},
			{"a target too long", SendRequest{To: Targets{strings.Repeat("x", 257)}, Message: "x"}, op.TooLarge, "257"},
			{"priority", SendRequest{To: Targets{"bob"}, Message: "x", Priority: "urgent"}, op.Invalid, "urgent"},
			{"id", SendRequest{To: Targets{"bob"}, Message: "x", ID: "1"}, op.Invalid, "UUID"},
			{"reply", SendRequest{To: Targets{"bob"}, Message: "x", ReplyTo: "1"}, op.Invalid, "UUID"},
			{"lives too long", SendRequest{To: Targets{"bob"}, Message: "x", ExpiresIn: "31d"}, op.Invalid, "30d"},
			{"lives not", SendRequest{To: Targets{"bob"}, Message: "x", ExpiresIn: "0s"}, op.Invalid, "second"},
			{"no duration", SendRequest{To: Targets{"bob"}, Message: "x", ExpiresIn: "soon"}, op.Invalid, "soon"},
			{"days without a number", SendRequest{To: Targets{"bob"}, Message: "x", ExpiresIn: "d"}, op.Invalid, "duration"},
			{"no number", SendRequest{To: Targets{"bob"}, Message: "x", ExpiresIn: "NaNd"}, op.Invalid, "30d"},
		}
		for _, c := range cases {
			_, err := alice.send(alice.sessions[0], c.in)
			if op.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: error %q does not say %q with code %s", c.name, err, c.says, c.code)
			}
		}
	})
}

func TestSendRate(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, _ *node) {
		a := alice.sessions[0]
		var err error
		n := 0
		for ; err == nil && n < 2000; n++ {
			err = alice.f.maySend(a.Session)
		}
		equal(t, "the burst", n-1, 1000)
		codeOf(t, err, op.RateLimited)
		if hint := op.AsError(err).Hint; !strings.Contains(hint, "20ms") {
			t.Errorf("the hint %q does not say when", hint)
		}
		time.Sleep(20 * time.Millisecond)
		equal(t, "after the wait", alice.f.maySend(a.Session), nil)
	})
}

func TestStatusLookup(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a := alice.sessions[0]
		for _, id := range []string{"0190a8f2-7c3e-7b1a-9d42-5f60718293a4", "0190a8f2-7c3e-7b1a-9d42-5f60718293a5"} {
			alice.mustSend(a, "bob", "x", func(r *SendRequest) { r.ID = id })
		}
		ask := func(n *node, id string) error {
			_, err := n.f.status(context.Background(), op.Caller{User: true}, StatusRequest{ID: id})
			return err
		}
		equal(t, "whole id", ask(alice, "0190A8F2-7c3e-7b1a-9d42-5f60718293a4"), nil)
		codeOf(t, ask(alice, "0190a8f2"), op.Ambiguous)
		codeOf(t, ask(alice, "0190a8f2-7c3e-7b1a-9d42-5f60718293a"), op.Ambiguous)
		codeOf(t, ask(alice, "0190a8f"), op.Invalid)
		codeOf(t, ask(alice, "something else"), op.Invalid)
		codeOf(t, ask(alice, "ffffffff"), op.NotFound)
		settle()
		codeOf(t, ask(bob, "0190a8f2-7c3e-7b1a-9d42-5f60718293a4"), op.Denied)
		a2 := alice.addSession("alice-2")
		equal(t, "another session of the member", alice.states(a2, "0190a8f2-7c3e-7b1a-9d42-5f60718293a4"), "delivered")
	})
}

func TestOps(t *testing.T) {
	var none *Feature
	var ids []string
	for _, o := range none.Ops() {
		ids = append(ids, o.ID)
		if _, err := o.Input(); err != nil {
			t.Error(err)
		}
		if _, err := o.Output(); err != nil {
			t.Error(err)
		}
	}
	equal(t, "operations", strings.Join(ids, " "), "message.send message.status message.check message.read message.hand")
}

// TestThroughOperations sends and reads as a surface does.
func TestThroughOperations(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		set := func(n *node) *op.Set { return optest.Set(t, n.f.Ops()...) }
		ctx := context.Background()
		out, err := Send.Call(ctx, set(alice), op.Caller{User: true}, SendRequest{To: Targets{"member:bob"}, Message: "hello", Priority: Low})
		if err != nil {
			t.Fatal(err)
		}
		settle()
		in, err := Check.Call(ctx, set(bob), op.Caller{User: true}, CheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "texts", texts(in), "hello")
		id, request := in.Report()
		equal(t, "reports", id, Read.ID)
		if _, err := Read.Call(ctx, set(bob), op.Caller{User: true}, request.(ReadRequest)); err != nil {
			t.Fatal(err)
		}
		settle()
		st, err := Status.Call(ctx, set(alice), op.Caller{User: true}, StatusRequest{ID: out.ID})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "state", st.Recipients[0].State, Seen)
		for _, text := range []string{out.Text(), in.Text(), st.Text()} {
			if !strings.Contains(text, out.ID) {
				t.Errorf("%q does not name the message", text)
			}
		}
	})
}
