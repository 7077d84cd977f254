package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// side is one user in the kill test: a node and one agent session, what was sent
// from it and what was shown to it.
type side struct {
	t     *testing.T
	flow  *flow
	home  *harness.Home
	other *side
	key   string // of the session

	mu     sync.Mutex // guards what follows
	agent  *harness.Agent
	agents []*harness.Agent  // all there were
	acked  []string          // ids of messages acknowledged to this side
	tried  map[string]string // bodies by the id they were sent under, if that was our own
	bodies map[string]bool   // all bodies ever sent
	pulled []message.Received
	said   map[string]message.State // the best that message_status said
	faults []string
	odd    map[string]int // answers that were no acknowledgement
}

func newSide(t *testing.T, f *flow, h *harness.Home) *side {
	return &side{
		t: t, flow: f, home: h, tried: map[string]string{}, bodies: map[string]bool{},
		said: map[string]message.State{}, odd: map[string]int{},
	}
}

// session is the agent session's id on both sides.
const session = "the-one"

// begin starts the agent.
func (s *side) begin(ctx context.Context) error {
	if err := s.startAgent(ctx); err != nil {
		return err
	}
	s.key = self(ctx, s.t, s.current()).Session
	return nil
}

func (s *side) startAgent(ctx context.Context) error {
	a, err := s.home.Agent(ctx, harness.AgentConfig{Session: session})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agent = a
	s.agents = append(s.agents, a)
	return nil
}

func (s *side) current() *harness.Agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agent
}

// killNode kills the node and starts it again, now or a little later.
func (s *side) killNode(ctx context.Context, random *rand.Rand) error {
	s.home.Kill()
	idle(ctx, random, 150)
	return s.home.Start(ctx)
}

// killAgent kills the MCP server; its agent starts another.
func (s *side) killAgent(ctx context.Context, _ *rand.Rand) error {
	s.current().Kill()
	return s.startAgent(ctx)
}

// killBoth kills all processes of the user.
func (s *side) killBoth(ctx context.Context, random *rand.Rand) error {
	s.home.Kill()
	s.current().Kill()
	idle(ctx, random, 150)
	return errors.Join(s.home.Start(ctx), s.startAgent(ctx))
}

// killStarting kills the node and once more while it starts.
func (s *side) killStarting(ctx context.Context, random *rand.Rand) error {
	s.home.Kill()
	short, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(200))*time.Millisecond)
	err := s.home.Start(short)
	cancel()
	if err == nil || ctx.Err() != nil {
		return err
	}
	return s.home.Start(ctx)
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

// send sends to the other side until ctx ends: by the agent or by the person, to
// a name or a key, with an id of its own, under which it tries until it is
// acknowledged, or without, and then once.
func (s *side) send(ctx context.Context, random *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		idle(ctx, random, 25)
		in := message.SendRequest{
			Message:  fmt.Sprintf("%s says %d", s.home.Name, n),
			To:       message.Targets{[]string{s.other.home.Name, s.other.key}[random.IntN(2)]},
			Priority: []message.Priority{message.Now, message.Next, message.Next, message.Low}[random.IntN(4)],
		}
		if random.IntN(2) == 0 {
			in.ID = newID(random)
		}
		s.trying(in)
		post := s.byAgent
		if random.IntN(3) == 0 {
			post = s.byPerson
		}
		for ctx.Err() == nil {
			out, err := post(ctx, in)
			if s.answered(ctx, in, out, err) || in.ID == "" {
				break
			}
			idle(ctx, random, 25)
		}
	}
}

func (s *side) byAgent(ctx context.Context, in message.SendRequest) (message.SendResponse, error) {
	return harness.Tool[message.SendResponse](ctx, s.current(), "send_message", in)
}

func (s *side) byPerson(ctx context.Context, in message.SendRequest) (message.SendResponse, error) {
	return message.Send.Call(ctx, s.home.API(), op.Caller{}, in)
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
func (s *side) answered(ctx context.Context, in message.SendRequest, out message.SendResponse, err error) bool {
	ok := err == nil && len(out.Targets) == 1 && out.Targets[0].OK
	s.mu.Lock()
	switch {
	case ok:
		s.acked = append(s.acked, out.ID)
		if in.ID != "" && out.ID != in.ID {
			s.faults = append(s.faults, fmt.Sprintf("sent as %s, acknowledged as %s", in.ID, out.ID))
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

// oddity is an answer without what differs each time.
func oddity(out message.SendResponse, err error) string {
	text := ""
	switch {
	case errors.Is(err, harness.ErrGone):
		return "gone"
	case err != nil:
		text = err.Error()
	case len(out.Targets) == 1:
		text = out.Targets[0].Error
	default:
		text = fmt.Sprintf("%d targets", len(out.Targets))
	}
	if i := strings.IndexAny(text, "\n"); i > 0 {
		text = text[:i]
	}
	if i := strings.Index(text, ": read unix"); i > 0 {
		text = text[:i]
	}
	if i := strings.Index(text, ": dial unix"); i > 0 {
		text = text[:i]
	}
	return text[:min(len(text), 160)]
}

// pull calls check_messages now and then. An answer on its way is waited for also
// when ctx ends: what it shows will not be shown again.
func (s *side) pull(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		idle(ctx, random, 400)
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
		_, err := s.take(call, false)
		cancel()
		if err != nil {
			s.mu.Lock()
			s.odd["check: "+oddity(message.SendResponse{}, err)]++
			s.mu.Unlock()
		}
	}
}

// take calls check_messages once and keeps what it gives.
func (s *side) take(ctx context.Context, again bool) (message.CheckResponse, error) {
	out, err := harness.Tool[message.CheckResponse](ctx, s.current(), "check_messages", map[string]any{"again": again, "limit": 500})
	if err != nil {
		return out, err
	}
	s.mu.Lock()
	s.pulled = append(s.pulled, out.Messages...)
	s.mu.Unlock()
	for range out.Messages {
		s.flow.happened()
	}
	return out, nil
}

// look asks for the state of messages that were acknowledged.
func (s *side) look(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		idle(ctx, random, 15)
		s.mu.Lock()
		id := ""
		if n := len(s.acked); n > 0 {
			id = s.acked[max(0, n-1-random.IntN(20))]
		}
		s.mu.Unlock()
		if id != "" {
			s.ask(ctx, id)
		}
	}
}

// ask asks for the state of a message and keeps it. A node that has acknowledged
// it must know it for ever.
func (s *side) ask(ctx context.Context, id string) (message.State, bool) {
	state, err := stateOf(ctx, s.home, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		if state == message.Delivered || state == message.Seen {
			s.said[id] = state
		} else if s.said[id] != "" {
			s.faults = append(s.faults, fmt.Sprintf("%s was %s and is %s", id, s.said[id], state))
		}
		if state == message.Expired || state == message.Refused {
			s.faults = append(s.faults, fmt.Sprintf("%s is %s", id, state))
		}
	case !again(err) && ctx.Err() == nil:
		s.faults = append(s.faults, fmt.Sprintf("%s was acknowledged, and its state is: %v", id, err))
	}
	return state, err == nil
}

// newID is a UUID of the plan's choosing.
func newID(random *rand.Rand) string {
	hi, lo := random.Uint64()&^0xf000|0x4000, random.Uint64()>>2|1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&0xffffffffffff)
}
