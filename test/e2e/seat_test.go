package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// groupNames are those that sessions join and leave. One is below another.
var groupNames = []string{"red", "red/deep", "blue"}

// seat is one agent session in the kill test: what it was at which time, and what was
// shown to it.
type seat struct {
	side    *side
	session string // the agent's own id for it
	name    string
	key     string

	open, visible history[bool]
	in            map[string]*history[bool]
	status        history[string]

	// turn is held during a change of what the session is, by whoever changes it.
	turn    sync.Mutex
	reports int

	mu      sync.Mutex // guards what follows
	agent   *harness.Agent
	agents  []*harness.Agent // all there were
	out     bool             // the session was ended
	opening *harness.Agent   // its first answer tells that the session is open again
	pulled  []message.Received
}

func newSeat(s *side, session string) *seat {
	out := &seat{side: s, session: session, in: map[string]*history[bool]{}}
	for _, g := range groupNames {
		out.in[g] = &history[bool]{}
	}
	return out
}

// begin starts the agent and asks who it is.
func (s *seat) begin(ctx context.Context) error {
	for _, h := range []*history[bool]{&s.open, &s.visible, s.in["red"], s.in["red/deep"], s.in["blue"]} {
		h.begin()
	}
	s.status.begin()
	if err := s.startAgent(ctx); err != nil {
		return err
	}
	own := self(ctx, s.side.t, s.current())
	s.name, s.key, s.side.key = own.Name, own.Session, own.MemberKey
	s.open.settle(true, true)
	s.visible.settle(true, true)
	s.status.settle("idle", true)
	for _, h := range s.in {
		h.settle(false, true)
	}
	return nil
}

func (s *seat) startAgent(ctx context.Context) error {
	s.mu.Lock()
	out := s.out
	s.mu.Unlock()
	if out {
		s.open.begin()
	}
	a, err := s.side.home.Agent(ctx, harness.AgentConfig{Session: s.session})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agent, s.out = a, false
	s.agents = append(s.agents, a)
	if out {
		s.opening = a
	}
	return nil
}

func (s *seat) current() *harness.Agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agent
}

func (s *seat) isOut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out
}

// end ends the session, as its agent does when its user closes it. It comes back by
// startAgent.
func (s *seat) end(ctx context.Context) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.current().Kill()
	s.mu.Lock()
	s.out, s.opening = true, nil
	s.mu.Unlock()
	s.open.begin()
	_, err := presence.Close.Call(ctx, s.side.home.API(), op.Caller{}, presence.CloseRequest{AgentSession: s.session})
	s.open.settle(false, err == nil)
}

// restart kills the MCP server, whose agent starts another. One that was out is back.
func (s *seat) restart(ctx context.Context) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.current().Kill()
	return s.startAgent(ctx)
}

// live changes what the session is until ctx ends: mostly its user types something, so
// that what it sends begins a conversation of its own.
func (s *seat) live(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		idle(ctx, random, 500)
		s.turn.Lock()
		if !s.isOut() {
			s.change(ctx, random)
		}
		s.turn.Unlock()
	}
}

func (s *seat) change(ctx context.Context, random *rand.Rand) {
	switch n := random.IntN(100); {
	case n < 4:
		s.say(ctx, []string{"idle", "idle", "working", "dnd"}[random.IntN(4)])
	case n < 9:
		s.report(ctx, []string{"idle", "working"}[random.IntN(2)])
	case n < 15:
		s.join(ctx, groupNames[random.IntN(len(groupNames))], random.IntN(3) > 0)
	case n < 18:
		s.show(ctx, random.IntN(3) > 0)
	default:
		s.report(ctx, "")
	}
}

// say sets the status.
func (s *seat) say(ctx context.Context, status string) {
	s.status.begin()
	_, err := harness.Tool[presence.SetStatusResponse](ctx, s.current(), "set_status", map[string]any{"status": status})
	s.status.settle(status, err == nil)
}

// report is what a hook of the agent says, with what its user typed. Agents may do so
// 30 times a minute from each folder.
func (s *seat) report(ctx context.Context, status string) {
	if status != "" {
		s.status.begin()
	}
	s.reports++
	out, err := presence.Report.Call(ctx, s.side.home.API(), op.Caller{}, presence.ReportRequest{
		AgentSession: s.session, Cwd: fmt.Sprintf("/%s/%d", s.session, s.reports%12), Status: status, Event: presence.EventPrompt,
	})
	if status != "" {
		s.status.settle(out.Status, err == nil && out.Found)
	}
}

func (s *seat) join(ctx context.Context, group string, in bool) {
	tool := map[bool]string{true: "join_group", false: "leave_group"}[in]
	s.in[group].begin()
	_, err := harness.Tool[presence.GroupResponse](ctx, s.current(), tool, map[string]any{"name": group})
	s.in[group].settle(in, err == nil)
}

func (s *seat) show(ctx context.Context, visible bool) {
	s.visible.begin()
	_, err := harness.Tool[presence.SetVisibleResponse](ctx, s.current(), "set_visible", map[string]any{"visible": visible})
	s.visible.settle(visible, err == nil)
}

// meant tells whether the session was one that groups mean, all the time from one
// moment to another.
func (s *seat) meant(groups []string, from, to time.Time) tri {
	var within []tri
	for _, target := range groups {
		if target == "*" || target == "@all" {
			within = append(within, yes)
			continue
		}
		for name, h := range s.in {
			if name == target[1:] || strings.HasPrefix(name, target[1:]+"/") {
				within = append(within, sure(h, from, to))
			}
		}
	}
	return all(sure(&s.open, from, to), sure(&s.visible, from, to), some(within...))
}

// pull calls check_messages now and then. An answer on its way is waited for also
// when ctx ends: what it shows will not be shown again.
func (s *seat) pull(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		idle(ctx, random, 800)
		if s.isOut() {
			continue
		}
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
		_, err := s.take(call, false)
		cancel()
		if err != nil {
			s.side.oddly("check: " + oddity(message.SendResponse{}, err))
		}
	}
}

// take calls check_messages once and keeps what it gives.
func (s *seat) take(ctx context.Context, again bool) (message.CheckResponse, error) {
	a := s.current()
	out, err := harness.Tool[message.CheckResponse](ctx, a, "check_messages", map[string]any{"again": again, "limit": 500})
	if err != nil {
		return out, err
	}
	s.mu.Lock()
	s.pulled = append(s.pulled, out.Messages...)
	if s.opening == a {
		s.opening = nil
		s.open.settle(true, true)
	}
	s.mu.Unlock()
	for range out.Messages {
		s.side.flow.happened()
	}
	return out, nil
}

// rest makes the session one that everything is shown to.
func (s *seat) rest(ctx context.Context) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.isOut() {
		if err := s.startAgent(ctx); err != nil {
			return err
		}
	}
	return harness.Until(ctx, func() (bool, any, error) {
		s.say(ctx, "idle")
		s.show(ctx, true)
		now := time.Now()
		status, _, known := s.status.during(now, now)
		return known && sure(&s.visible, now, now) == yes, status, nil
	})
}
