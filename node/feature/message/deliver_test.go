package message

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// forged is a letter made by hand, from a session of alice's to bob's.
type forged struct {
	msg    letter.Message
	signer ident.PrivateKey
	attest string
	ord    uint64
	prev   uint64
	index  int
}

func forge(a, b *Self, n byte, text string) forged {
	id := letter.ID{1, n}
	return forged{
		msg: letter.Message{
			ID: id, Origin: a.Member, Session: a.Session, Reach: letter.Direct, To: []ident.PublicKey{b.Session},
			Priority: delivery.Next, Body: text, Cause: letter.CauseOf(a.Member, id),
			Created: time.UnixMilli(time.Now().UnixMilli()), TTL: time.Hour,
		},
		signer: a.Key, attest: string(a.Attest), ord: uint64(n),
	}
}

func (l forged) pack(mesh ident.MeshID) []byte {
	s := ident.Sign(ident.KindMessage, mesh, l.msg.Encode(), l.signer)
	return letter.Letter{
		Statement: s.Marshal(), Attest: []byte(l.attest), Ord: l.ord,
		Addresses: []letter.Address{{Index: l.index, Prev: l.prev}}, Remaining: time.Hour,
	}.Pack()
}

// deliver hands letters to a node as if alice's had posted them, and gives the
// outcomes of the receipt: one letter each, "" if there is none.
func (n *node) deliver(from *node, letters ...forged) string {
	n.w.t.Helper()
	var packed [][]byte
	for _, l := range letters {
		packed = append(packed, l.pack(n.w.mesh))
	}
	raw, err := n.f.Deliver(context.Background(), n.w.mesh, from.member.Public(), packed)
	if err != nil {
		n.w.t.Fatalf("deliver: %v", err)
	}
	if raw == nil {
		return ""
	}
	s, err := ident.ParseStatement(raw, letter.MaxReceipt)
	if err != nil {
		n.w.t.Fatalf("receipt: %v", err)
	}
	if err := s.Verify(ident.KindReceipt, n.w.mesh, n.member.Public()); err != nil {
		n.w.t.Fatalf("receipt: %v", err)
	}
	r, err := letter.DecodeReceipt(s.Body)
	if err != nil {
		n.w.t.Fatalf("receipt: %v", err)
	}
	var out []string
	for _, i := range r.Items {
		out = append(out, map[delivery.Outcome]string{
			delivery.ODelivered: "d", delivery.ORefused: "r", delivery.OLater: "l", delivery.OSeen: "s", delivery.ONoted: "n",
		}[i.Outcome])
	}
	return strings.Join(out, "")
}

func TestJudgement(t *testing.T) {
	scene(t, func(t *testing.T, w *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		stranger := ident.PrivateKeyFromSeed([32]byte{99})
		cases := []struct {
			name   string
			change func(*forged)
			want   string
		}{
			{"a good one", func(*forged) {}, "d"},
			{"signed by another", func(l *forged) { l.signer = stranger }, ""},
			{"of another member", func(l *forged) { l.msg.Origin = b.Member }, ""},
			{"no attestation", func(l *forged) { l.attest = "" }, "r"},
			{"an address it does not have", func(l *forged) { l.index = 3 }, "r"},
			{"to many, with an address of its own", func(l *forged) { l.msg.Reach, l.msg.To, l.msg.Targets = letter.Mesh, nil, []string{"*"} }, "r"},
			{"41 days old", func(l *forged) { l.msg.Created = l.msg.Created.Add(-41 * day) }, "l"},
		}
		for i, c := range cases {
			l := forge(a, b, byte(i+1), "x")
			c.change(&l)
			equal(t, c.name, bob.deliver(alice, l), c.want)
		}
		equal(t, "only the good one is shown", bob.pushes(b), "x")

		later := forge(a, b, 100, "later")
		w.change(func() { w.unknown[a.Session] = true })
		equal(t, "not to be judged yet", bob.deliver(alice, later), "l")
		w.change(func() { delete(w.unknown, a.Session) })
		equal(t, "judged now", bob.deliver(alice, later), "d")

		revoked := forge(a, b, 101, "revoked")
		w.change(func() { w.revoked[a.Session] = true })
		equal(t, "revoked", bob.deliver(alice, revoked), "r")
		equal(t, "a duplicate of what came before", bob.deliver(alice, later), "d")
		w.change(func() { delete(w.revoked, a.Session) })

		other := forge(a, b, 100, "something else under the same id")
		equal(t, "other content", bob.deliver(alice, other), "r")
		other.signer = stranger
		equal(t, "other content, badly signed", bob.deliver(alice, other), "")
		equal(t, "both once", bob.pushes(b), "x,later")
		equal(t, "garbage", bob.deliverRaw(alice, nil, []byte{1}, []byte{2, 3}, []byte{9}), 0)
	})
}

// deliverRaw hands over any bytes and gives the length of the receipt.
func (n *node) deliverRaw(from *node, letters ...[]byte) int {
	n.w.t.Helper()
	raw, err := n.f.Deliver(context.Background(), n.w.mesh, from.member.Public(), letters)
	if err != nil {
		n.w.t.Fatalf("deliver: %v", err)
	}
	return len(raw)
}

func TestBlockedSender(t *testing.T) {
	scene(t, func(t *testing.T, w *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		w.change(func() { w.blocked[a.Member] = true })
		id := alice.mustSend(a, "bob", "let me in")
		settle()
		equal(t, "what the sender sees", alice.states(a, id), "delivered")
		equal(t, "pushed", bob.pushes(b), "")
		got := bob.check(b, CheckRequest{Again: true})
		equal(t, "shown", len(got.Messages)+len(got.Unconfirmed), 0)
	})
}

func TestOrderOfArrival(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		msg := func(n byte, prev uint64) forged {
			l := forge(a, b, n, string('0'+n))
			l.prev = prev
			return l
		}
		equal(t, "receipts", bob.deliver(alice, msg(3, 2), msg(2, 1)), "dd")
		equal(t, "held", bob.pushes(b)+bob.bodies(b), "")
		equal(t, "receipt", bob.deliver(alice, msg(1, 0)), "d")
		equal(t, "in order", bob.pushes(b), "1,2,3")

		bob.deliver(alice, msg(6, 5))
		time.Sleep(9900 * time.Millisecond)
		settleNot := bob.pushes(b)
		equal(t, "held for 10 s", settleNot, "1,2,3")
		time.Sleep(200 * time.Millisecond)
		settle()
		equal(t, "after 10 s", bob.pushes(b), "1,2,3,6")
		bob.deliver(alice, msg(5, 4))
		time.Sleep(11 * time.Second)
		settle()
		equal(t, "the late one", bob.pushes(b), "1,2,3,6,5")

		bob.set(b, func(s *Self) { s.Status = "working" })
		bob.deliver(alice, msg(9, 0), msg(8, 7))
		equal(t, "a pull shows in order what waits for nothing", bob.bodies(b), "8,9")
	})
}

// TestOrderSurvivesARestart: what is held stays held, and no longer than it would.
func TestOrderSurvivesARestart(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		l := forge(a, b, 2, "2")
		l.prev = 1
		bob.deliver(alice, l)
		bob.stop()
		bob.start()
		settle()
		equal(t, "held", bob.pushes(b), "")
		time.Sleep(10 * time.Second)
		settle()
		equal(t, "after 10 s", bob.pushes(b), "2")
	})
}

func TestGateOpens(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.set(b, func(s *Self) { s.Status = "working" })
		for _, p := range []Priority{Next, Low, Now} {
			alice.mustSend(a, "bob", string(p), func(r *SendRequest) { r.Priority = p })
			settle()
		}
		equal(t, "while working", bob.pushes(b), "now")
		bob.set(b, func(s *Self) { s.Mode = "off"; s.Status = "idle" })
		settle()
		equal(t, "mode off", bob.pushes(b), "now")
		bob.set(b, func(s *Self) { s.Mode = "push"; s.Attached = false })
		settle()
		equal(t, "detached", bob.pushes(b), "now")
		bob.stop()
		bob.start()
		bob.set(b, func(s *Self) { s.Attached = true })
		settle()
		equal(t, "idle and attached, after a restart", bob.pushes(b), "now,next")
		equal(t, "low waits until asked", bob.bodies(b), "low")
	})
}

func TestHints(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.set(b, func(s *Self) { s.Mode = "inbox" })
		for i := range 3 {
			alice.mustSend(a, "bob", fmt.Sprint(i))
			settle()
		}
		equal(t, "one hint at once", len(bob.feed(b, op.TopicHint)), 1)
		time.Sleep(5 * time.Second)
		settle()
		hints := bob.feed(b, op.TopicHint)
		equal(t, "the second after 5 s", len(hints), 2)
		equal(t, "what it says", string(hints[1].Data), `{"from_name":"alice","unread":3}`)
		bob.set(b, func(s *Self) { s.Status = "working" })
		bob.set(b, func(s *Self) { s.Status = "idle" })
		time.Sleep(time.Minute)
		settle()
		equal(t, "none without news", len(bob.feed(b, op.TopicHint)), 2)
		equal(t, "nothing is pushed", bob.pushes(b), "")
		equal(t, "all waits", bob.bodies(b), "0,1,2")
	})
}

func TestOneTaker(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		b2 := bob.addSession("bob-2")
		bob.set(b2, func(s *Self) { s.LastActive = time.Now().Add(time.Hour) })
		alice.mustSend(a, "bob", "for bob alone")
		alice.mustSend(a, "member:bob", "for either")
		settle()
		equal(t, "bob", bob.pushes(b), "for bob alone")
		equal(t, "the last active one", bob.pushes(b2), "for either")

		bob.set(b, func(s *Self) { s.Status = "working" })
		bob.set(b2, func(s *Self) { s.Status = "working" })
		id := alice.mustSend(a, "member:bob", "for the first to ask")
		settle()
		equal(t, "the first", bob.bodies(b), "for the first to ask")
		bob.set(b2, func(s *Self) { s.Status = "idle" })
		settle()
		equal(t, "the second", bob.pushes(b2)+bob.bodies(b2), "for either")
		equal(t, "state", alice.states(a, id), "seen")
		got := bob.check(b, CheckRequest{Again: true})
		equal(t, "what was pushed to one is not the other's", texts(got), "for bob alone")

		bob.mustSend(b, "member:bob", "to my others")
		settle()
		equal(t, "not to the one that wrote it", bob.bodies(b), "")
		equal(t, "to the other", strings.HasSuffix(bob.pushes(b2), "to my others"), true)
	})
}

func TestReplyGoesToTheAsker(t *testing.T) {
	scene(t, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		a2 := alice.addSession("alice-2")
		id := alice.mustSend(a2, "bob", "who am I?")
		settle()
		for _, to := range []string{"member:alice", a.Member.String()} {
			bob.mustSend(b, to, "alice-2", func(r *SendRequest) { r.ReplyTo = id })
		}
		settle()
		equal(t, "the asker", alice.pushes(a2), "alice-2,alice-2")
		equal(t, "the other", alice.pushes(a), "")
		bob.mustSend(b, "alice", "fyi", func(r *SendRequest) { r.ReplyTo = id })
		settle()
		equal(t, "somebody else is meant", alice.pushes(a), "fyi")
	})
}

func TestCauseLimits(t *testing.T) {
	chat := func(limits Limits) (int, error) {
		var err error
		n := 0
		staged(t, func(w *world) { w.limits = limits }, func(t *testing.T, _ *world, alice, bob *node) {
			who, other := alice, bob
			var id string
			for ; err == nil && n < 200; n++ {
				r := SendRequest{To: Targets{other.name}, Message: "and?", ReplyTo: id}
				var out SendResponse
				out, err = who.send(who.sessions[0], r)
				id = out.ID
				who, other = other, who
				settle()
			}
			if err == nil {
				return
			}
			codeOf(t, err, op.Denied)
			_, fresh := other.f.send(t.Context(), op.Caller{User: true}, SendRequest{To: Targets{who.name}, Message: "x", ReplyTo: id})
			equal(t, "a person begins anew", fresh, nil)
		})
		return n - 1, err
	}
	n, err := chat(Limits{})
	equal(t, "answers deep, and the first", n, 41)
	if err == nil || !strings.Contains(err.Error(), "the limit is 40") {
		t.Errorf("error %v", err)
	}
	n, err = chat(Limits{CauseDepth: 1000})
	equal(t, "messages", n, 64)
	if err == nil || !strings.Contains(err.Error(), "the limit is 64") {
		t.Errorf("error %v", err)
	}
}

func TestInboxFull(t *testing.T) {
	staged(t, func(w *world) { w.limits.Inbox = inbox.Limits{Rows: 2, Bytes: 1 << 20} }, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		bob.set(b, func(s *Self) { s.Status = "dnd" })
		var ids []string
		for _, text := range []string{"1", "2", "3"} {
			ids = append(ids, alice.mustSend(a, "bob", text))
			settle()
		}
		equal(t, "the third waits at the sender", alice.states(a, ids[2]), "queued")
		equal(t, "two", bob.bodies(b), "1,2")
		time.Sleep(time.Minute)
		settle()
		equal(t, "room was made", alice.states(a, ids[2]), "delivered")
		equal(t, "the third", bob.bodies(b), "3")
		bob.addSession("bob-2")
		bob.mustSend(b, "bob-2", "4", func(r *SendRequest) { r.Priority = Low })
		bob.mustSend(b, "bob-2", "5", func(r *SendRequest) { r.Priority = Low })
		_, err := bob.send(b, SendRequest{To: Targets{"bob-2"}, Message: "6", Priority: Low})
		codeOf(t, err, op.Unavailable)
	})
}

func TestReceivingRate(t *testing.T) {
	staged(t, func(w *world) { w.limits.ReceiveRate = delivery.Rate{PerSecond: 1, Burst: 2} }, func(t *testing.T, _ *world, alice, bob *node) {
		a, b := alice.sessions[0], bob.sessions[0]
		l := []forged{forge(a, b, 1, "1"), forge(a, b, 2, "2"), forge(a, b, 3, "3")}
		equal(t, "receipts", bob.deliver(alice, l...), "ddl")
		time.Sleep(time.Second)
		equal(t, "a second later", bob.deliver(alice, l...), "ddd")
		equal(t, "pushed", bob.pushes(b), "1,2,3")
	})
}

func TestOutboxFull(t *testing.T) {
	staged(t, func(w *world) { w.limits.OutboxRows = 2 }, func(t *testing.T, w *world, alice, bob *node) {
		a := alice.sessions[0]
		bob.stop()
		alice.mustSend(a, "bob", "1")
		alice.mustSend(a, "bob", "2")
		_, err := alice.send(a, SendRequest{To: Targets{"bob"}, Message: "3"})
		codeOf(t, err, op.Unavailable)
		bob.start()
		settle()
		alice.mustSend(a, "bob", "3")
	})
}

func TestForeignReceipt(t *testing.T) {
	staged(t, func(w *world) {
		w.addNode("carol", 3)
	},
		func(t *testing.T, w *world, alice, bob *node) {
			a := alice.sessions[0]
			carol := w.nodes[2]
			bob.stop()
			id := alice.mustSend(a, "bob", "x")
			var hash ident.ID
			alice.view(func(m inboxOutbox) { msg, _, _ := m.out.Message(w.mesh, parseID(id)); hash = msg.Hash })
			receipt := func(by ident.PrivateKey, signer ident.PublicKey, hash ident.ID) []byte {
				return ident.Sign(ident.KindReceipt, w.mesh, letter.Receipt{Signer: signer, Items: []letter.Item{{
					Origin: a.Member, ID: parseID(id), Hash: hash, Outcome: delivery.ODelivered,
				}}}.Encode(), by).Marshal()
			}
			ctx := context.Background()
			alice.f.Receipt(ctx, w.mesh, carol.member.Public(), receipt(carol.member, carol.member.Public(), hash))
			alice.f.Receipt(ctx, w.mesh, bob.member.Public(), receipt(carol.member, bob.member.Public(), hash))
			alice.f.Receipt(ctx, w.mesh, bob.member.Public(), receipt(bob.member, carol.member.Public(), hash))
			alice.f.Receipt(ctx, w.mesh, bob.member.Public(), receipt(bob.member, bob.member.Public(), ident.ID{1}))
			alice.f.Receipt(ctx, w.mesh, bob.member.Public(), []byte("garbage"))
			equal(t, "state", alice.states(a, id), "queued")
			alice.f.Receipt(ctx, w.mesh, bob.member.Public(), receipt(bob.member, bob.member.Public(), hash))
			equal(t, "state after the right one", alice.states(a, id), "delivered")
		})
}
