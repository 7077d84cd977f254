package message

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// run is one random history of two nodes with two sessions each.
type run struct {
	*world
	t *rapid.T

	asked    []*asked
	pulled   map[string][]op.Message // by session id: what Check gave unmarked, in order
	proven   map[string]bool         // ids seen as delivered at a sender
	sequence int
}

// asked is one send, which is repeated until it is answered.
type asked struct {
	from     *node
	session  *Self
	request  SendRequest
	answered bool
}

// histories checks a property of random histories, each in a folder and a bubble of time.
func histories(t *testing.T, play func(t *rapid.T, dir string)) {
	dir := memory(t)
	n := 0
	virtual(t, func(t *testing.T) {
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			n++
			place := filepath.Join(dir, fmt.Sprint(n))
			if err := os.Mkdir(place, 0o700); err != nil {
				rt.Fatal(err)
			}
			play(rt, place)
			_ = os.RemoveAll(place)
		})
	})
}

// bubble hides from rapid that t has a deadline, which it cannot tell in a bubble.
type bubble struct{ rapid.TB }

// TestInvariants plays random histories: sends, reads, changes of the gate, losses,
// doubled, shuffled and slow batches, and kills at any call across a node's border.
// Whatever happened, once the network is well and all are idle, docs/delivery.md
// section 11 holds.
func TestInvariants(t *testing.T) { histories(t, play) }

func play(t *rapid.T, dir string) {
	r := &run{world: newWorld(t, dir, "alice", "bob"), t: t, pulled: map[string][]op.Message{}, proven: map[string]bool{}}
	seed := rapid.Uint64().Draw(t, "seed of the network")
	r.rng = rand.New(rand.NewPCG(seed, 1))
	for _, n := range r.nodes {
		n.addSession(n.name + "-2")
	}
	r.start()
	stopped := false
	defer func() {
		if !stopped {
			r.stop()
		}
	}()
	for range rapid.IntRange(3, 30).Draw(t, "steps") {
		r.act()
		r.sometimes()
	}
	r.recover()
	r.verify()
	stopped = true
	r.stop()
}

// act does one random thing.
func (r *run) act() {
	n := r.nodes[rapid.IntRange(0, 1).Draw(r.t, "node")]
	s := n.sessions[rapid.IntRange(0, 1).Draw(r.t, "session")]
	switch rapid.SampledFrom([]string{"send", "send", "send", "burst", "check", "gate", "kill", "restart", "net", "sleep"}).Draw(r.t, "act") {
	case "send":
		r.send(n, s)
	case "burst":
		for range 5 {
			r.send(n, s)
		}
	case "check":
		r.check(n, s, false)
	case "gate":
		n.set(s, func(s *Self) {
			s.Status = rapid.SampledFrom([]string{"idle", "idle", "working", "dnd"}).Draw(r.t, "status")
			s.Mode = rapid.SampledFrom([]string{"push", "push", "inbox", "off"}).Draw(r.t, "mode")
			s.Attached = rapid.SampledFrom([]bool{true, true, false}).Draw(r.t, "attached")
			s.LastActive = time.Now()
		})
	case "kill":
		n.fuse.Store(int64(rapid.IntRange(1, 30).Draw(r.t, "fuse")))
	case "restart":
		n.stop()
		n.start()
	case "net":
		well := rapid.Bool().Draw(r.t, "well")
		r.change(func() {
			r.cut = !well && rapid.Bool().Draw(r.t, "cut")
			r.loss, r.doubled, r.shuffle, r.slow = 0, 0, 0, 10*time.Millisecond
			if !well {
				r.loss, r.doubled, r.shuffle, r.slow = 0.3, 0.3, 0.3, 3*time.Second
			}
		})
		r.contact()
	case "sleep":
		time.Sleep(time.Duration(rapid.IntRange(1, 15000).Draw(r.t, "ms")) * time.Millisecond)
	}
	time.Sleep(time.Duration(rapid.IntRange(0, 20).Draw(r.t, "pause")) * time.Millisecond)
}

// sometimes brings killed nodes back and looks whether what senders believe holds.
func (r *run) sometimes() {
	for _, n := range r.nodes {
		if n.dead.Load() && rapid.IntRange(0, 2).Draw(r.t, "back") == 0 {
			n.stop()
			n.start()
		}
	}
	r.believed()
}

// send sends something new, mostly to the other node.
func (r *run) send(n *node, s *Self) {
	r.sequence++
	targets := Targets{rapid.SampledFrom([]string{
		"alice", "alice-2", "bob", "bob-2", "member:alice", "member:bob", "member:alice", "member:bob",
	}).Draw(r.t, "to")}
	if targets[0] == s.Name {
		return
	}
	a := &asked{from: n, session: s, request: SendRequest{
		To: targets, Message: fmt.Sprint(r.sequence), ID: letter.ID{1, byte(r.sequence >> 8), byte(r.sequence), 4}.String(),
		Priority: rapid.SampledFrom([]Priority{Now, Next, Next, Low}).Draw(r.t, "priority"),
	}}
	r.asked = append(r.asked, a)
	r.try(a)
}

// try sends once. A killed node answers nothing.
func (r *run) try(a *asked) {
	_, err := a.from.send(a.session, a.request)
	switch {
	case err == nil:
		a.answered = true
	case errors.Is(err, errKilled):
	default:
		r.t.Fatalf("send %+v: %v", a.request, err)
	}
}

// check reads a session's inbox. What a killed node gave is shown to nobody: it is
// not confirmed, so the reader is shown it again, marked.
func (r *run) check(n *node, s *Self, again bool) {
	if n.dead.Load() {
		return
	}
	got := n.check(s, CheckRequest{Again: again, Limit: 500})
	for _, m := range got.Messages {
		if !m.AgainOffered {
			r.pulled[s.ID] = append(r.pulled[s.ID], m.Message)
		}
	}
}

// believed is invariant 2: what a sender calls delivered is at its recipient's home.
func (r *run) believed() {
	for _, a := range r.asked {
		for _, row := range r.rows(a) {
			home := r.node(row.Home)
			if row.State != delivery.Delivered && row.State != delivery.Seen {
				continue
			}
			home.view(func(m inboxOutbox) {
				_, ok, err := m.in.Get(inbox.Key{
					Mesh: r.mesh, Address: row.Address, ID: parseID(a.request.ID), Origin: a.session.Member,
				})
				if !ok || err != nil {
					r.t.Fatalf("message %s is %s, but not there: %v", a.request.Message, row.State, err)
				}
			})
		}
	}
}

// rows are those of a send at its node. An answered one has some: invariant 1.
func (r *run) rows(a *asked) (rows []outbox.Row) {
	a.from.view(func(m inboxOutbox) {
		id := parseID(a.request.ID)
		_, ok, err := m.out.Message(r.mesh, id)
		if err != nil {
			r.t.Fatalf("message: %v", err)
		}
		if rows, err = m.out.Rows(r.mesh, id); err != nil {
			r.t.Fatalf("rows: %v", err)
		}
		switch {
		case a.answered && !ok:
			r.t.Fatalf("message %s was answered and is not there", a.request.Message)
		case ok != (len(rows) > 0):
			r.t.Fatalf("message %s: there %v, %d rows", a.request.Message, ok, len(rows))
		}
	})
	return rows
}

// recover makes all well and waits until everything has happened.
func (r *run) recover() {
	r.change(func() { r.cut, r.loss, r.doubled, r.shuffle, r.slow = false, 0, 0, 0, time.Millisecond })
	for _, n := range r.nodes {
		if n.dead.Load() {
			n.stop()
			n.start()
		}
		n.fuse.Store(0)
	}
	for _, a := range r.asked {
		if !a.answered {
			r.try(a)
		}
	}
	for _, n := range r.nodes {
		for _, s := range n.sessions {
			n.set(s, func(s *Self) { s.Status, s.Mode, s.Attached = "idle", "push", true })
		}
	}
	time.Sleep(3 * time.Minute)
	synctest.Wait()
	for _, n := range r.nodes {
		for _, s := range n.sessions {
			r.nothingHeld(n, s)
		}
		for _, s := range n.sessions {
			r.check(n, s, false)
		}
	}
	time.Sleep(3 * time.Minute)
	synctest.Wait()
}

// nothingHeld wants all to be pushed that an open gate lets through.
func (r *run) nothingHeld(n *node, s *Self) {
	n.view(func(m inboxOutbox) {
		waiting, err := m.in.Waiting(readerOf(*s), n.f.age.now())
		if err != nil {
			r.t.Fatalf("waiting: %v", err)
		}
		for _, e := range waiting {
			if e.Priority != delivery.Low {
				r.t.Fatalf("message %s of priority %s still waits for %s", e.ID, e.Priority, s.Name)
			}
		}
	})
}

// verify checks what must hold in the end.
func (r *run) verify() {
	r.believed()
	shows := r.shows()
	for _, a := range r.asked {
		for _, row := range r.rows(a) {
			if row.State != delivery.Delivered && row.State != delivery.Seen {
				r.t.Fatalf("message %s to %s ended as %s (%s)", a.request.Message, row.Target, row.State, row.Reason)
			}
			r.once(a, row, shows)
		}
	}
	for _, n := range r.nodes {
		r.inOrder(n)
		r.counted(n)
	}
}

// showing is one unmarked showing of a message to a session.
type showing struct {
	session *Self
	node    *node
}

// shows collects all unmarked showings by message id: pushes and pulls.
func (r *run) shows() map[string][]showing {
	out := map[string][]showing{}
	for _, n := range r.nodes {
		for _, s := range n.sessions {
			for _, m := range append(n.pushed(s), r.pulled[s.ID]...) {
				out[m.ID] = append(out[m.ID], showing{s, n})
			}
		}
	}
	return out
}

// once is invariants 3 and 4: shown once, to the session it is for or to one of
// its member's that did not write it.
func (r *run) once(a *asked, row outbox.Row, shows map[string][]showing) {
	seen := shows[a.request.ID]
	home := r.node(row.Home)
	alone := row.Address == row.Home && home == a.from && len(home.sessions) == 1
	if len(seen) > 1 || len(seen) == 0 && !alone {
		r.t.Fatalf("message %s to %s was shown %d times", a.request.Message, row.Target, len(seen))
	}
	for _, s := range seen {
		mine := s.session.Session == row.Address || s.session.Member == row.Address && s.session.Session != a.session.Session
		if !mine || s.node != home {
			r.t.Fatalf("message %s to %s was shown to %s", a.request.Message, row.Target, s.session.Name)
		}
	}
}

// inOrder is invariant 5: within a line nothing is shown before something that
// arrived no more than 10 s after it and was accepted before it.
func (r *run) inOrder(n *node) {
	entries := map[string]inbox.Entry{}
	n.view(func(m inboxOutbox) {
		for _, a := range r.asked {
			for _, row := range r.rows(a) {
				e, ok, err := m.in.Get(inbox.Key{Mesh: r.mesh, Address: row.Address, ID: parseID(a.request.ID), Origin: a.session.Member})
				if err != nil {
					r.t.Fatalf("entry: %v", err)
				}
				if ok {
					entries[a.request.ID] = e
				}
			}
		}
	})
	type line struct {
		address, origin ident.PublicKey
		priority        delivery.Priority
	}
	for _, s := range n.sessions {
		for _, list := range [][]op.Message{n.pushed(s), r.pulled[s.ID]} {
			last := map[line]inbox.Entry{}
			for _, m := range list {
				e := entries[m.ID]
				l := line{e.Address, e.Origin, e.Priority}
				before, ok := last[l]
				if ok && before.Ord > e.Ord && e.Age-before.Age < delivery.Patience {
					r.t.Fatalf("%s was shown message %s behind %s (ord %d, %d; arrived %v, %v)",
						s.Name, e.ID, before.ID, e.Ord, before.Ord, e.Age, before.Age)
				}
				if !ok || e.Ord > before.Ord {
					last[l] = e
				}
			}
		}
	}
}

// counted compares what is counted with what is there.
func (r *run) counted(n *node) {
	n.view(func(m inboxOutbox) {
		if u := m.out.Usage(); u.Rows != 0 || u.Bytes != 0 || len(m.out.Homes()) != 0 {
			r.t.Fatalf("%s: %d open rows with %d bytes and %d homes in the end", n.name, u.Rows, u.Bytes, len(m.out.Homes()))
		}
		rows, bytes := uint64(0), uint64(0)
		for _, a := range r.asked {
			for _, row := range r.rows(a) {
				e, ok, _ := m.in.Get(inbox.Key{Mesh: r.mesh, Address: row.Address, ID: parseID(a.request.ID), Origin: a.session.Member})
				if ok {
					rows++
					bytes += uint64(e.Size)
				}
			}
		}
		if u := m.in.Usage(r.mesh); u.Rows != rows || u.Bytes != bytes {
			r.t.Fatalf("%s: %d entries with %d bytes counted, %d with %d there", n.name, u.Rows, u.Bytes, rows, bytes)
		}
	})
}
