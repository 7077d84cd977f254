package message

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/cause"
	"github.com/claudemesh/claudemesh/node/feature/message/courier"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// sealed is a draft that is signed and ready for its commit.
type sealed struct {
	*draft
	statement []byte
	remember  outbox.Message
	homes     []outbox.Home     // where rows are to be sent
	open      int               // rows to be sent
	here      []ident.PublicKey // who on this node gets it
	air       bool              // it goes through the air first; the commit has the last word
	ord       uint64            // of the commit
}

// accept signs a draft and commits it: message, rows, inbox entries of this node,
// proof of what it answers. Then it answers.
func (f *Feature) accept(ctx context.Context, d *draft) (SendResponse, error) {
	answer := SendResponse{ID: d.msg.ID.String(), Targets: d.results}
	if d.closeTo == nil && !d.msg.ReplyTo.IsZero() {
		// No fault: texts are trimmed, and one may answer what another session was shown.
		answer.Warning = "no message " + d.msg.ReplyTo.String() + " is known to this session: it answers one that only others may know"
	}
	s, err := f.sign(d, answer)
	if err != nil {
		return SendResponse{}, err
	}
	gates := f.gates.Load()
	var g *gate
	if len(s.here) > 0 {
		g = f.open(d.self.Mesh, d.self.Member)
	}
	var earlier *outbox.Message
	var seen bool
	trip := f.courier.Trip()
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
		earlier, seen = nil, false
		trip.Reset()
		if g != nil {
			g = g.again()
		}
		m, ok, err := outbox.In(tx).Message(d.self.Mesh, d.msg.ID)
		if err != nil || ok {
			earlier = &m
			return err
		}
		seen, err = f.commit(tx, s, g, trip)
		return err
	})
	trip.Settle(err == nil)
	switch {
	case err != nil:
		return SendResponse{}, storeError(err)
	case earlier != nil:
		return firstAnswer(d, *earlier)
	}
	if seen {
		f.courier.Wake(outbox.Home{Mesh: d.self.Mesh, Member: d.closeTo.entry.Origin})
	}
	f.settle(g, gates)
	if s.remember.Many {
		f.air.cry(s)
	}
	f.log.Debug("message accepted", "mesh", d.self.Mesh, "message", d.msg.ID.String(), "rows", len(d.rows))
	return answer, nil
}

// settle follows up what a commit found out about gates.
func (f *Feature) settle(g *gate, gates uint64) {
	switch {
	case g == nil:
	case g.knocked || f.gates.Load() != gates:
		f.doors.knock(g.mesh)
	case g.later > 0:
		f.doors.at(g.mesh, g.later)
	}
}

func (f *Feature) sign(d *draft, answer SendResponse) (*sealed, error) {
	raw, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	st := ident.Sign(ident.KindMessage, d.self.Mesh, d.msg.Encode(), d.self.Key)
	s := &sealed{draft: d, statement: st.Marshal()}
	age := f.age.now()
	s.remember = outbox.Message{
		Mesh: d.self.Mesh, ID: d.msg.ID, Session: d.self.Session, Member: d.self.Member,
		Hash: st.ID(), Request: d.request, Created: d.msg.Created, Age: age, Deadline: age + d.msg.TTL,
		Priority: d.msg.Priority, Answer: raw, Cause: d.msg.Cause, Depth: d.msg.Depth, Thread: d.msg.Thread,
		Many: d.msg.Reach == letter.Mesh,
	}
	s.here = d.here()
	seen := make(map[ident.PublicKey]bool)
	for _, r := range d.rows {
		if r.State.Final() {
			continue
		}
		s.open++
		if !seen[r.Home] {
			seen[r.Home] = true
			s.homes = append(s.homes, outbox.Home{Mesh: d.self.Mesh, Member: r.Home})
		}
	}
	s.air = s.remember.Many && len(d.msg.To) == 0 && f.mayCry(len(s.homes))
	return s, nil
}

// commit is the accepting transaction. It reports whether news of what the
// message answers was queued.
func (f *Feature) commit(tx *store.Tx, s *sealed, g *gate, trip *courier.Trip) (seen bool, err error) {
	out, in := outbox.In(tx), inbox.In(tx)
	if err := f.room(out, in, s); err != nil {
		return false, err
	}
	count := cause.In(tx)
	if err := f.mayContinue(count, s.draft); err != nil {
		return false, err
	}
	if err := count.Add(s.msg.Cause, s.msg.Depth, s.remember.Age); err != nil {
		return false, err
	}
	s.ord, err = out.Accept(s.remember, s.statement, s.self.Attest, s.rows, s.msg.Created)
	if err != nil {
		return false, err
	}
	for _, address := range s.here {
		e, err := in.Add(inbox.Entry{
			Key:  inbox.Key{Mesh: s.self.Mesh, Address: address, ID: s.msg.ID, Origin: s.self.Member},
			Hash: s.remember.Hash, State: delivery.Waiting, Ord: s.ord, Priority: s.msg.Priority,
			Age: s.remember.Age, Arrived: s.msg.Created, Session: s.self.Session, Name: s.self.Name,
		}, s.statement)
		if err != nil {
			return false, err
		}
		if err := g.arrived(tx, in, e, s.msg); err != nil {
			return false, err
		}
	}
	if s.closeTo != nil && s.closeTo.entry != nil {
		if seen, err = f.prove(out, in, s); err != nil {
			return false, err
		}
	}
	s.air = f.stillCries(s)
	wait := time.Duration(0)
	if s.air {
		wait = airTime
	}
	for _, h := range s.homes {
		trip.Announce(courier.Letter{
			Home: h, Ord: s.ord, Deadline: s.remember.Deadline, Priority: s.msg.Priority,
			Statement: s.statement, Attest: s.self.Attest, Held: s.named,
			Many: s.remember.Many, Wait: wait,
		}, s.rows)
	}
	return seen, f.tellAccepted(tx, s)
}

// tellAccepted has others account for the message.
func (f *Feature) tellAccepted(tx *store.Tx, s *sealed) error {
	if f.cfg.Accepted == nil {
		return nil
	}
	m := Accepted{
		Mesh: s.self.Mesh, Member: s.self.Member, ID: s.msg.ID.String(), Session: s.self.Name, Priority: s.msg.Priority.String(),
	}
	for _, r := range s.results {
		m.Targets = append(m.Targets, r.Target)
	}
	return f.cfg.Accepted(tx, m)
}

// prove marks what the message answers as read, if it was pushed.
func (f *Feature) prove(out outbox.Box, in inbox.Box, s *sealed) (seen bool, err error) {
	e, ok, err := in.Get(s.closeTo.entry.Key)
	if err != nil || !ok {
		return false, err
	}
	e, changed, err := in.Happen(e, delivery.Proved, s.self.Session, s.remember.Age)
	if err != nil || !changed {
		return false, err
	}
	return f.tellSeen(out, e, s.self.Member)
}

// tellSeen passes on that an entry was read: at once to a row of this node, else
// into the queue of its sender's home. It reports whether it queued.
func (f *Feature) tellSeen(out outbox.Box, e inbox.Entry, self ident.PublicKey) (queued bool, err error) {
	home := outbox.Home{Mesh: e.Mesh, Member: e.Origin}
	if e.Origin == self {
		_, err := out.Apply(outbox.Change{
			Home: home, ID: e.ID, Event: delivery.GotSeen, Hash: e.Hash,
			Addresses: []ident.PublicKey{e.Address}, At: f.cfg.Now(),
		})
		return false, err
	}
	return true, out.QueueSeen(outbox.Due{
		Home: home, ID: e.ID, Hash: e.Hash, Address: e.Address, Deadline: f.age.now() + seenTTL,
	}, f.cfg.Now())
}

// room refuses what does not fit, before anything is written.
func (f *Feature) room(out outbox.Box, in inbox.Box, s *sealed) error {
	if u := out.Usage(); len(s.homes) > 0 {
		rows := u.Rows + uint64(s.open)
		size := u.Bytes + uint64(len(s.statement)+len(s.self.Attest))
		if rows > f.limits.OutboxRows || size > f.limits.OutboxBytes {
			return op.Errorf(op.Unavailable, "the outbox is full: %d messages with %d bytes wait for recipients", u.Rows, u.Bytes).
				WithHint("try again when some of them are reachable; `claudemesh peers --all` shows who is away")
		}
	}
	if len(s.here) == 0 {
		return nil
	}
	ok, err := in.Room(s.self.Mesh, len(s.here), len(s.statement), f.limits.Inbox)
	if err == nil && !ok {
		err = op.Errorf(op.Unavailable, "the inbox of your own sessions is full").
			WithHint("read what waits with `claudemesh inbox`, then try again")
	}
	return err
}

// storeError says what a user can do about a failing store.
func storeError(err error) error {
	var e *op.Error
	if errors.As(err, &e) {
		return err
	}
	if errors.Is(err, store.ErrFull) {
		return op.Errorf(op.Unavailable, "the message is not accepted: %w", err)
	}
	return fmt.Errorf("the message may not be accepted: %w", err)
}
