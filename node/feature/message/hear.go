package message

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	cry  letter.Heard
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

// cried is a message that later ones of its line come after.
type cried struct {
	letter.Before
	at time.Duration
}

// mayCry tells whether a message to so many homes goes through the air. What was cried
// before a start is forgotten: until it has come everywhere, letters keep the order.
func (f *Feature) mayCry(homes int) bool {
	return f.cfg.Air != nil && homes > 0 && homes <= letter.MaxMembers &&
		f.cfg.Mono()-f.age.start >= delivery.Patience
}

// stillCries tells whether a message that may go through the air does. One that comes soon
// after one that also named somebody does not: whom that means, groups do not say, so only
// letters keep the order of the two. It is asked in commits, one after the other.
func (f *Feature) stillCries(s *sealed) bool {
	if !s.remember.Many {
		return false
	}
	in, now := line{s.self.Mesh, s.msg.Priority}, f.cfg.Mono()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(s.msg.To) > 0 {
		f.named[in] = now
		return false
	}
	at, ok := f.named[in]
	return s.air && (!ok || now-at >= delivery.Patience)
}

// cryOut tells the air of accepted messages, until ctx ends.
func (f *Feature) cryOut(ctx context.Context) error {
	last := make(map[line][]cried)
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

// cryOne cries one message, if it goes through the air.
func (f *Feature) cryOne(ctx context.Context, s *sealed, last map[line][]cried) error {
	in := line{s.self.Mesh, s.msg.Priority}
	now := f.cfg.Mono()
	before := ahead(last[in], s.ord, now)
	last[in] = append([]cried{{letter.Before{Ord: s.ord, Targets: s.msg.Targets}, now}}, last[in]...)
	last[in] = latest(last[in], now)
	if !s.air {
		return nil
	}
	body := letter.Letter{
		Statement: s.statement, Attest: s.self.Attest, Ord: s.ord,
		Addresses: []letter.Address{{Index: letter.Everyone}}, Remaining: s.msg.TTL,
	}.Pack()
	cry := letter.Cry{Letter: body, Members: s.members(), Before: before}
	cry.Near = f.cfg.Air.Reaches(s.self.Mesh, cry.Members)
	st, err := f.cfg.Trust.Sign(s.self.Mesh, letter.KindCry, cry.Encode())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cryTime)
	defer cancel()
	return f.cfg.Air.Cry(ctx, s.self.Mesh, st.Marshal())
}

// latest keeps, newest first, those that may still be on their way: the last for each
// set of targets.
func latest(list []cried, now time.Duration) []cried {
	slices.SortStableFunc(list, func(x, y cried) int { return cmp.Compare(y.Ord, x.Ord) })
	var out []cried
	for _, c := range list {
		known := slices.ContainsFunc(out, func(o cried) bool { return slices.Equal(o.Targets, c.Targets) })
		if !known && now-c.at < delivery.Patience && len(out) < letter.MaxBefore {
			out = append(out, c)
		}
	}
	return out
}

// ahead lists those that a message comes after.
func ahead(list []cried, ord uint64, now time.Duration) (out []letter.Before) {
	for _, c := range latest(list, now) {
		if c.Ord < ord {
			out = append(out, c.Before)
		}
	}
	return out
}

// members are whose homes a message is sent to.
func (s *sealed) members() []ident.PublicKey {
	out := make([]ident.PublicKey, len(s.homes))
	for i, h := range s.homes {
		out[i] = h.Member
	}
	return out
}

// Hear takes a message to many from the air. Nil means that it is good, and onward that
// it is to be passed on; ErrLater that this node cannot tell, any other error that it is
// bad. It does not wait for the message to be on disk.
func (f *Feature) Hear(mesh ident.MeshID, raw []byte) (onward bool, err error) {
	c, err := letter.ParseCry(raw)
	if err != nil {
		return false, err
	}
	self := f.cfg.Trust.Self(mesh)
	if c.Message.Origin == self {
		return true, nil
	}
	if _, ok := f.cfg.Trust.Member(mesh, c.Message.Origin); !ok {
		return false, ErrLater
	}
	if err := c.Verify(mesh); err != nil {
		return false, err
	}
	if off := f.cfg.Now().Sub(c.Message.Created); off.Abs() > airAge {
		return false, fmt.Errorf("%w: made %s ago by its clock", ErrLater, off)
	}
	if !c.For(self) {
		return !c.Near, nil
	}
	select {
	case f.air.in <- heard{mesh, c}:
	default:
		f.log.Debug("message from the air dropped: too many at once", "mesh", mesh)
	}
	return !c.Near, nil
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
		l := h.cry.Letter // h is another one soon
		a, err := arrivalOf(&l)
		if err == nil {
			a.air, a.before = true, h.cry.Before
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
