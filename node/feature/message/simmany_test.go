package message

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// throng is one random history of three nodes with two sessions each that send to
// groups.
type throng struct {
	*world
	t *rapid.T

	sent     []*call
	pulled   map[string][]string // by session: ids that Check gave unmarked, in order
	sequence int
}

// call is one send; it is repeated until it is answered.
type call struct {
	from     *node
	session  *Self
	request  SendRequest
	id       string
	answered bool
	members  string // whom it was for when it was answered
	at       time.Time
}

// TestManyInvariants plays random histories of messages to many, which come through
// the air, by letter or both, twice and in any order, while sessions come, go, hide
// and join, and nodes are killed. Invariants 2 to 5 and 8 of docs/delivery.md hold.
func TestManyInvariants(t *testing.T) { histories(t, playThrong) }

func playThrong(t *rapid.T, dir string) {
	r := &throng{world: newWorld(t, dir, "alice", "bob", "carol"), t: t, pulled: map[string][]string{}}
	r.rng = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed of the network"), 2))
	for _, n := range r.nodes {
		n.addSession(n.name + "-2")
		n.join(0, "g")
	}
	r.start()
	stopped := false
	defer func() {
		if !stopped {
			r.stop()
		}
	}()
	time.Sleep(10 * time.Second) // from then on messages go through the air
	for range rapid.IntRange(3, 20).Draw(t, "steps") {
		r.act()
		for _, n := range r.nodes {
			if n.dead.Load() && rapid.Bool().Draw(t, "back") {
				n.stop()
				n.start()
			}
		}
	}
	r.recover()
	r.verify()
	stopped = true
	r.stop()
}

func (r *throng) act() {
	n := r.nodes[rapid.IntRange(0, 2).Draw(r.t, "node")]
	at := rapid.IntRange(0, 1).Draw(r.t, "session")
	s := n.sessions[at]
	switch rapid.SampledFrom([]string{"send", "send", "send", "burst", "check", "gate", "group", "kill", "restart", "net", "sleep"}).Draw(r.t, "act") {
	case "send":
		r.send(n, s)
	case "burst":
		for range 4 {
			r.send(n, s)
		}
	case "check":
		r.check(n, s)
	case "gate":
		n.set(s, func(s *Self) {
			s.Status = rapid.SampledFrom([]string{"idle", "working"}).Draw(r.t, "status")
			s.Attached = rapid.Bool().Draw(r.t, "attached")
		})
	case "group":
		n.join(at, rapid.SampledFrom([][]string{{"g"}, {"g/h"}, {}}).Draw(r.t, "groups")...)
		hidden := rapid.IntRange(0, 3).Draw(r.t, "hidden") == 0
		closed := rapid.IntRange(0, 3).Draw(r.t, "closed") == 0
		n.locked(func() { n.hidden[s.Session], n.closed[s.Session] = hidden, closed })
		n.set(s, func(*Self) {})
	case "kill":
		n.fuse.Store(int64(rapid.IntRange(1, 30).Draw(r.t, "fuse")))
	case "restart":
		n.stop()
		n.start()
	case "net":
		well := rapid.Bool().Draw(r.t, "well")
		r.change(func() {
			r.cut = !well && rapid.Bool().Draw(r.t, "cut")
			r.loss, r.deaf, r.doubled, r.slow = 0, 0, 0, 10*time.Millisecond
			if !well {
				r.loss, r.doubled, r.slow = 0.3, 0.3, 3*time.Second
				r.deaf = rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(r.t, "deaf")
			}
		})
		r.contact()
	case "sleep":
		time.Sleep(time.Duration(rapid.IntRange(1, 15000).Draw(r.t, "ms")) * time.Millisecond)
	}
	time.Sleep(time.Duration(rapid.IntRange(0, 20).Draw(r.t, "pause")) * time.Millisecond)
}

func (r *throng) send(n *node, s *Self) {
	r.sequence++
	c := &call{from: n, session: s, request: SendRequest{
		To: rapid.SampledFrom([]Targets{
			{"*"}, {"@g"}, {"@g"}, {"@g/h"}, {"@g", "@g/h"}, {"@g", "member:bob"}, {"carol-2", "@g/h"},
		}).Draw(r.t, "to"), Message: fmt.Sprint(r.sequence),
		Priority: rapid.SampledFrom([]Priority{Now, Next, Low}).Draw(r.t, "priority"),
	}}
	if n.fuse.Load() != 0 || rapid.Bool().Draw(r.t, "named") {
		c.request.ID = letter.ID{2, byte(r.sequence >> 8), byte(r.sequence), 4}.String()
	}
	r.try(c)
	if c.answered || c.request.ID != "" {
		r.sent = append(r.sent, c)
	}
}

// try sends once. A group may have nobody in it: then nothing is sent.
func (r *throng) try(c *call) {
	out, err := c.from.send(c.session, c.request)
	if err != nil {
		if !errors.Is(err, errKilled) {
			c.request.ID = ""
		}
		return
	}
	c.id, c.answered, c.at = out.ID, true, time.Now()
	c.members = r.members(c)
}

// members are whom a message is for, by its rows.
func (r *throng) members(c *call) (members string) {
	for _, row := range r.rows(c) {
		members += row.Address.String() + " "
	}
	return members
}

func (r *throng) rows(c *call) (rows []outbox.Row) {
	c.from.view(func(m inboxOutbox) {
		var err error
		if rows, err = m.out.Rows(r.mesh, parseID(c.id)); err != nil {
			r.t.Fatalf("rows: %v", err)
		}
	})
	return rows
}

func (r *throng) check(n *node, s *Self) {
	if n.dead.Load() || n.closed[s.Session] {
		return
	}
	for _, m := range n.check(s, CheckRequest{Limit: 500}).Messages {
		r.pulled[s.ID] = append(r.pulled[s.ID], m.ID)
	}
}

// recover makes all well and waits until everything has happened.
func (r *throng) recover() {
	r.change(func() { r.cut, r.loss, r.deaf, r.doubled, r.slow = false, 0, 0, 0, time.Millisecond })
	for _, n := range r.nodes {
		if n.dead.Load() {
			n.stop()
			n.start()
		}
		n.fuse.Store(0)
	}
	for _, c := range r.sent {
		if !c.answered && c.request.ID != "" {
			r.try(c)
		}
	}
	r.sent = slices.DeleteFunc(r.sent, func(c *call) bool { return !c.answered })
	time.Sleep(3 * time.Minute)
	synctest.Wait()
	for _, n := range r.nodes {
		for _, s := range n.sessions {
			n.locked(func() { n.closed[s.Session] = false })
			n.set(s, func(s *Self) { s.Status, s.Attached = "idle", true })
		}
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	for _, n := range r.nodes {
		for _, s := range n.sessions {
			r.check(n, s)
		}
	}
	time.Sleep(3 * time.Minute)
	synctest.Wait()
}

func (r *throng) verify() {
	for _, c := range r.sent {
		if got := r.members(c); got != c.members {
			r.t.Fatalf("message %s was for %s, now for %s", c.request.Message, c.members, got)
		}
		homes := map[ident.PublicKey]bool{}
		for _, row := range r.rows(c) {
			if row.State != delivery.Delivered && row.State != delivery.Seen {
				r.t.Fatalf("message %s to %s ended as %s (%s)", c.request.Message, row.Target, row.State, row.Reason)
			}
			homes[row.Home] = true
		}
		for _, n := range r.nodes {
			r.kept(c, n, homes[n.member.Public()])
		}
	}
	for _, n := range r.nodes {
		for _, s := range n.sessions {
			r.inOrder(n, s)
		}
	}
}

// kept wants each session for which a home keeps a message to have been shown it once,
// and nobody else at all.
func (r *throng) kept(c *call, n *node, home bool) {
	var kept []ident.PublicKey
	n.view(func(m inboxOutbox) {
		for _, k := range []ident.PublicKey{n.member.Public(), n.sessions[0].Session, n.sessions[1].Session} {
			_, ok, err := m.in.Get(inbox.Key{Mesh: r.mesh, Address: k, ID: parseID(c.id), Origin: c.session.Member})
			if err != nil {
				r.t.Fatalf("entry: %v", err)
			}
			if ok {
				kept = append(kept, k)
			}
		}
		s, ok, err := m.in.Spread(r.mesh, c.session.Member, parseID(c.id))
		if err != nil || ok && !same(s.Addresses, kept) {
			r.t.Fatalf("message %s: spread to %v, kept for %v: %v", c.request.Message, s.Addresses, kept, err)
		}
	})
	if !home && len(kept) > 0 || slices.Contains(kept, c.session.Session) {
		r.t.Fatalf("message %s is kept by %s for %v", c.request.Message, n.name, kept)
	}
	shown := 0
	for _, s := range n.sessions {
		times := r.times(n, s, c.id)
		own := slices.Contains(kept, s.Session)
		if own && times != 1 || times > 1 {
			r.t.Fatalf("message %s was shown to %s %d times", c.request.Message, s.Name, times)
		}
		if !own {
			shown += times
		}
	}
	member := slices.Contains(kept, n.member.Public())
	alone := n == c.from && len(n.sessions) == 1
	if shown > 1 || member != (shown == 1) && !alone {
		r.t.Fatalf("message %s for the member %s (%v) was shown %d times", c.request.Message, n.name, member, shown)
	}
}

// apart is how long after one message another was accepted, or its repetition answered.
func (r *throng) apart(id, later string) time.Duration {
	at := func(id string) time.Time {
		i := slices.IndexFunc(r.sent, func(c *call) bool { return c.id == id })
		if i < 0 {
			return time.Time{}
		}
		return r.sent[i].at
	}
	return at(later).Sub(at(id))
}

func same(a, b []ident.PublicKey) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(k ident.PublicKey) bool { return !slices.Contains(b, k) })
}

func (r *throng) times(n *node, s *Self, id string) (times int) {
	for _, m := range n.pushed(s) {
		if m.ID == id {
			times++
		}
	}
	for _, other := range r.pulled[s.ID] {
		if other == id {
			times++
		}
	}
	return times
}

// inOrder wants the messages to many that came to a session from one sender with one priority to be pushed
// in the order of acceptance, unless it was accepted, or came, more than 10 s apart.
func (r *throng) inOrder(n *node, s *Self) {
	last := map[string]inbox.Entry{}
	for _, m := range n.pushed(s) {
		var e inbox.Entry
		n.view(func(b inboxOutbox) {
			origin, _ := ident.ParsePublicKeyHex(m.FromMember)
			e, _, _ = b.in.Get(inbox.Key{Mesh: r.mesh, Address: s.Session, ID: parseID(m.ID), Origin: origin})
		})
		if e.Seq == 0 || m.Kind != "broadcast" {
			continue // the member's, or one whose group had nobody in it
		}
		of := m.FromMember + m.Priority
		if before := last[of]; before.Ord > e.Ord && e.Age-before.Age < delivery.Patience && r.apart(m.ID, before.ID.String()) < delivery.Patience {
			r.t.Fatalf("%s was shown %s behind %s (arrived %v, %v)", s.Name, m.Body, before.ID, e.Age, before.Age)
		} else if e.Ord > before.Ord {
			last[of] = e
		}
	}
}
