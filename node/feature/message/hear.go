package message

import (
	"context"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

const (
	// airTime is how long a message to many may come through the air before it is
	// sent to those who did not receipt it.
	airTime = 2 * time.Second
	// airAge is how old, or how far ahead, a message from the air may be by its
	// clock: what somebody replays later comes too late.
	airAge = 10 * time.Minute
	// airQueue is how many messages wait to be cried, or wait to be stored.
	airQueue = 256
	// airBatch is how many of them are stored in one commit.
	airBatch = 64
	// cryTime is how long crying one may take.
	cryTime = 5 * time.Second
)

// air is the messages to many on their way to and from the air. What does not fit
// in is left to the letters.
type air struct {
	out chan *sealed
	in  chan heard
}

// heard is a message from the air.
type heard struct {
	mesh ident.MeshID
	cry  letter.Cry
}

func newAir() *air {
	return &air{out: make(chan *sealed, airQueue), in: make(chan heard, airQueue)}
}

func (a *air) cry(s *sealed) {
	select {
	case a.out <- s:
	default:
	}
}

// line is the messages of this node that are cried in order.
type line struct {
	mesh     ident.MeshID
	priority delivery.Priority
}

// cried is the last message of a line.
type cried struct {
	ord     uint64
	at      time.Duration
	targets []string
}

// cryOut tells the air of accepted messages, until ctx ends.
func (f *Feature) cryOut(ctx context.Context) error {
	last := make(map[line]cried)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-f.air.out:
			if err := f.cryOne(ctx, s, last); err != nil && ctx.Err() == nil {
				f.log.Debug("message not cried", "mesh", s.self.Mesh, "message", s.msg.ID.String(), "error", err)
			}
		}
	}
}

// cryOne cries one message. The one before it counts as its predecessor only if
// everybody who is meant now was meant then, and may still be on its way.
func (f *Feature) cryOne(ctx context.Context, s *sealed, last map[line]cried) error {
	in := line{s.self.Mesh, s.msg.Priority}
	now, before := f.cfg.Mono(), last[in]
	var prev uint64
	if before.ord > 0 && before.ord < s.ord && now-before.at < delivery.Patience && covers(before.targets, s.msg.Targets) {
		prev = before.ord
	}
	if s.ord > before.ord {
		last[in] = cried{s.ord, now, s.msg.Targets}
	}
	body := letter.Letter{
		Statement: s.statement, Attest: s.self.Attest, Ord: s.ord,
		Addresses: []letter.Address{{Index: letter.Everyone, Prev: prev}}, Remaining: s.msg.TTL,
	}.Pack()
	st, err := f.cfg.Trust.Sign(s.self.Mesh, letter.KindCry, body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cryTime)
	defer cancel()
	return f.cfg.Air.Cry(ctx, s.self.Mesh, st.Marshal())
}

// Hear takes a message to many from the air. Nil means that it is good and to be
// passed on, ErrLater that this node cannot tell, any other error that it is bad. It
// does not wait for the message to be on disk.
func (f *Feature) Hear(mesh ident.MeshID, raw []byte) error {
	c, err := letter.ParseCry(raw)
	if err != nil {
		return err
	}
	if c.Message.Origin == f.cfg.Trust.Self(mesh) {
		return nil
	}
	if _, ok := f.cfg.Trust.Member(mesh, c.Message.Origin); !ok {
		return ErrLater
	}
	if err := c.Verify(mesh); err != nil {
		return err
	}
	if off := f.cfg.Now().Sub(c.Message.Created); off.Abs() > airAge {
		return fmt.Errorf("%w: made %s ago by its clock", ErrLater, off)
	}
	select {
	case f.air.in <- heard{mesh, c}:
	default:
		f.log.Debug("message from the air dropped: too many at once", "mesh", mesh)
	}
	return nil
}

// listen stores what was heard, until ctx ends.
func (f *Feature) listen(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case h := <-f.air.in:
			for mesh, arrivals := range f.drain(h) {
				if err := f.takeHeard(ctx, mesh, arrivals); err != nil && ctx.Err() == nil {
					f.log.Error("messages from the air not stored", "mesh", mesh, "error", err)
				}
			}
		}
	}
}

// drain takes what else waits, by mesh, in the order heard.
func (f *Feature) drain(h heard) map[ident.MeshID][]*incoming {
	out := make(map[ident.MeshID][]*incoming)
	for n := 1; ; n++ {
		a, err := arrivalOf(&h.cry.Letter)
		if err == nil {
			a.air = true
			out[h.mesh] = append(out[h.mesh], a)
		}
		if n == airBatch {
			return out
		}
		select {
		case h = <-f.air.in:
		default:
			return out
		}
	}
}

// takeHeard stores what was heard in one mesh and has it receipted.
func (f *Feature) takeHeard(ctx context.Context, mesh ident.MeshID, arrivals []*incoming) error {
	items, err := f.take(ctx, mesh, arrivals)
	if err != nil {
		return err
	}
	for _, i := range items {
		f.courier.Say(outbox.Home{Mesh: mesh, Member: i.Origin}, i)
	}
	return nil
}
