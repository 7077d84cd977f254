package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// side is one user in the kill test: a node, its agents' sessions, and what was sent
// from it.
type side struct {
	t     *testing.T
	flow  *flow
	home  *harness.Home
	key   string // of the member
	seats []*seat

	mu     sync.Mutex // guards what follows
	downs  []time.Time
	posts  []*post           // acknowledged to this side
	tried  map[string]string // bodies by the id they were sent under, if that was our own
	bodies map[string]bool   // all bodies ever sent
	faults []string
	odd    map[string]int // answers that were no acknowledgement
}

// post is a message that was acknowledged.
type post struct {
	id           string
	from         *side
	session      string // key of the sending session, empty for the person
	request      message.SendRequest
	answer       message.SendResponse
	began, acked time.Time

	rows map[string]message.Recipient // what message_status said last, by address
	gone map[string]bool              // rows it does not list any more
}

func newSide(t *testing.T, f *flow, h *harness.Home) *side {
	s := &side{t: t, flow: f, home: h, tried: map[string]string{}, bodies: map[string]bool{}, odd: map[string]int{}}
	for i := range 2 {
		s.seats = append(s.seats, newSeat(s, fmt.Sprintf("%s-%d", h.Name, i)))
	}
	return s
}

// kill kills the node.
func (s *side) kill() {
	s.mu.Lock()
	s.downs = append(s.downs, time.Now())
	s.mu.Unlock()
	s.home.Kill()
}

// up starts the node if it does not run.
func (s *side) up(ctx context.Context) error {
	select {
	case <-s.home.Node().Done():
		err := s.home.Start(ctx)
		s.mu.Lock()
		s.downs = append(s.downs, time.Now())
		s.mu.Unlock()
		return err
	default:
		return nil
	}
}

// steady tells whether the node ran all the time from one moment to another.
func (s *side) steady(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.downs, func(at time.Time) bool { return at.After(from) && at.Before(to) })
}

// killNode kills the node and starts it again, now or a little later.
func (s *side) killNode(ctx context.Context, random *rand.Rand) error {
	s.kill()
	idle(ctx, random, 150)
	return s.up(ctx)
}

// killAgent kills an MCP server; its agent starts another.
func (s *side) killAgent(ctx context.Context, random *rand.Rand) error {
	return s.seats[random.IntN(len(s.seats))].restart(ctx)
}

// killAll kills all processes of the user.
func (s *side) killAll(ctx context.Context, random *rand.Rand) error {
	s.kill()
	for _, seat := range s.seats {
		seat.current().Kill()
	}
	idle(ctx, random, 150)
	errs := []error{s.up(ctx)}
	for _, seat := range s.seats {
		if !seat.isOut() {
			errs = append(errs, seat.restart(ctx))
		}
	}
	return errors.Join(errs...)
}

// killStarting kills the node and once more while it starts.
func (s *side) killStarting(ctx context.Context, random *rand.Rand) error {
	s.kill()
	short, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(200))*time.Millisecond)
	err := s.home.Start(short)
	cancel()
	if err == nil || ctx.Err() != nil {
		return err
	}
	return s.up(ctx)
}

// leave ends the node, as at night. Somebody brings it back.
func (s *side) leave(ctx context.Context, _ *rand.Rand) error {
	s.mu.Lock()
	s.downs = append(s.downs, time.Now())
	s.mu.Unlock()
	select {
	case <-s.home.Node().Done():
		return nil
	default:
		return s.home.Stop(ctx)
	}
}

// endSession ends a session.
func (s *side) endSession(ctx context.Context, random *rand.Rand) error {
	s.seats[random.IntN(len(s.seats))].end(ctx)
	return nil
}

// idle lets up to that many milliseconds go by.
func idle(ctx context.Context, random *rand.Rand, most int) {
	timer := time.NewTimer(time.Duration(random.IntN(most)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// targets chooses whom a message is for: a session or member of any side by name or
// key, a group, everybody, or a list.
func (s *side) targets(from *seat, random *rand.Rand) message.Targets {
	one := func() string {
		other := s.flow.sides[random.IntN(len(s.flow.sides))]
		seat := other.seats[random.IntN(len(other.seats))]
		if other == s && seat == from {
			seat = s.flow.next(s).seats[0]
		}
		return []string{seat.name, seat.key, seat.key, seat.side.key}[random.IntN(4)]
	}
	group := func() string { return "@" + groupNames[random.IntN(len(groupNames))] }
	switch random.IntN(10) {
	case 0, 1, 2:
		return message.Targets{one()}
	case 3, 4, 5:
		return message.Targets{group()}
	case 6, 7:
		return message.Targets{[]string{"*", "@all"}[random.IntN(2)]}
	case 8:
		return message.Targets{group(), group(), one()}
	}
	return message.Targets{one(), one()}
}

// send sends until ctx ends, as a session or, without one, as the person: with an id
// of its own, under which it tries until it is answered, or without, and then once.
func (s *side) send(ctx context.Context, from *seat, random *rand.Rand) {
	who := s.home.Name
	if from != nil {
		who = from.session
	}
	for n := 0; ctx.Err() == nil; n++ {
		idle(ctx, random, 250)
		if from != nil && from.isOut() {
			continue
		}
		in := message.SendRequest{
			Message:  fmt.Sprintf("%s says %d", who, n),
			To:       s.targets(from, random),
			Priority: []message.Priority{message.Now, message.Next, message.Next, message.Low}[random.IntN(4)],
		}
		if random.IntN(2) == 0 {
			in.ID = newID(random)
		}
		s.trying(in)
		p := &post{from: s, request: in, began: time.Now(), rows: map[string]message.Recipient{}, gone: map[string]bool{}}
		for tries := 0; ctx.Err() == nil && tries < 400; tries++ {
			out, err := s.post(ctx, from, in)
			if s.answered(ctx, p, from, out, err) || in.ID == "" || refused(err) {
				break
			}
			idle(ctx, random, 25)
		}
	}
}

func (s *side) post(ctx context.Context, from *seat, in message.SendRequest) (message.SendResponse, error) {
	if from == nil {
		return message.Send.Call(ctx, s.home.API(), op.Caller{}, in)
	}
	return harness.Tool[message.SendResponse](ctx, from.current(), "send_message", in)
}

// refused tells whether an error is an answer: there is nobody in a group, or too
// many messages in one conversation.
func refused(err error) bool {
	var tool *harness.ToolError
	if errors.As(err, &tool) {
		return !strings.Contains(tool.Text, "the node") && !strings.Contains(tool.Text, "no node")
	}
	return slices.Contains([]op.Code{op.NotFound, op.Denied, op.RateLimited, op.Ambiguous, op.Invalid}, op.CodeOf(err))
}

func (s *side) trying(in message.SendRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies[in.Message] = true
	if in.ID != "" {
		s.tried[in.ID] = in.Message
	}
}

// answered notes an acknowledgement, and tells whether it was one.
func (s *side) answered(ctx context.Context, p *post, from *seat, out message.SendResponse, err error) bool {
	ok := err == nil && slices.ContainsFunc(out.Targets, func(r message.TargetResult) bool { return r.OK })
	s.mu.Lock()
	switch {
	case ok:
		p.id, p.answer, p.acked = out.ID, out, time.Now()
		if from != nil {
			p.session = from.key
		}
		s.posts = append(s.posts, p)
		if p.request.ID != "" && out.ID != p.request.ID {
			s.faults = append(s.faults, fmt.Sprintf("sent as %s, acknowledged as %s", p.request.ID, out.ID))
		}
	case ctx.Err() == nil:
		s.odd[oddity(out, err)]++
	}
	s.mu.Unlock()
	if ok {
		s.flow.happened()
	}
	return ok
}

func (s *side) oddly(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.odd[text]++
}

// oddity is an answer without what differs each time.
func oddity(out message.SendResponse, err error) string {
	text := fmt.Sprintf("%d targets", len(out.Targets))
	switch {
	case errors.Is(err, harness.ErrGone):
		return "gone"
	case err != nil:
		text = err.Error()
	case len(out.Targets) > 0:
		text = out.Targets[0].Error
	}
	for _, end := range []string{"\n", ": read unix", ": dial unix", `"@`, "answer ", "message "} {
		if i := strings.Index(text, end); i > 0 {
			text = text[:i]
		}
	}
	return text[:min(len(text), 120)]
}

// look asks for the state of messages that were acknowledged.
func (s *side) look(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		idle(ctx, random, 30)
		s.mu.Lock()
		var p *post
		if n := len(s.posts); n > 0 {
			p = s.posts[max(0, n-1-random.IntN(20))]
		}
		s.mu.Unlock()
		if p != nil {
			s.ask(ctx, p)
		}
	}
}

// ask asks what became of a message and keeps it; it tells whether that is final. A
// node that has acknowledged a message must know it for ever, the recipients do not
// change, and what was delivered stays delivered.
func (s *side) ask(ctx context.Context, p *post) (final bool, last message.StatusResponse) {
	out, err := message.Status.Call(ctx, s.home.API(), op.Caller{}, message.StatusRequest{ID: p.id})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if !again(err) && ctx.Err() == nil {
			s.faults = append(s.faults, fmt.Sprintf("%s was acknowledged, and its state is: %v", p.id, err))
		}
		return false, out
	}
	fault := func(format string, args ...any) {
		s.faults = append(s.faults, p.id+" to "+strings.Join(p.request.To, ", ")+": "+fmt.Sprintf(format, args...))
	}
	first, final := len(p.rows)+len(p.gone) == 0, true
	listed := map[string]bool{}
	for _, r := range out.Recipients {
		was, known := p.rows[r.Key]
		listed[r.Key] = true
		switch {
		case p.gone[r.Key], !known && !first:
			fault("%s is a recipient now, and was none", r.Name)
		case arrived(was) && !arrived(r):
			fault("%s was %s and is %s", r.Name, was.State, r.State)
		case r.State == message.Expired || r.State == message.Refused:
			fault("%s: %s %s", r.Name, r.State, r.Reason)
		}
		final = final && arrived(r)
		p.rows[r.Key] = r
	}
	for key, was := range p.rows {
		if !listed[key] {
			if arrived(was) {
				fault("%s was %s and is no recipient any more", was.Name, was.State)
			}
			p.gone[key] = true
			delete(p.rows, key)
		}
	}
	if first && len(p.rows) == 0 {
		p.gone[""] = true // it has been asked for
	}
	return final, out
}

// arrived tells whether a row says that the recipient has the message.
func arrived(r message.Recipient) bool {
	return r.State == message.Delivered || r.State == message.Seen
}

// newID is a UUID of the plan's choosing.
func newID(random *rand.Rand) string {
	hi, lo := random.Uint64()&^0xf000|0x4000, random.Uint64()>>2|1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&0xffffffffffff)
}
