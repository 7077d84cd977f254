package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	// matching is how long before its commit a home may have looked whom a message to
	// a group means.
	matching = 5 * time.Second
	// pushing is how long a message may be on its way from the commit that offers it
	// to the agent, while the node runs.
	pushing = 5 * time.Second
	// decay is when working ends by itself; some time before it one is not sure.
	decay = 45 * time.Second
)

// shown is one showing of a message to a session.
type shown struct {
	seat     *seat
	id, body string
	again    bool
	arrived  time.Time // at the node, to the millisecond
	pushed   time.Time // zero: pulled
	priority message.Priority
}

// showings are all that a session was shown, pushed or pulled, but for notices of the
// mesh.
func (s *seat) showings() []shown {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []shown
	for _, a := range s.agents {
		for _, c := range a.Channels() {
			if c.ID() != "" && c.Kind() != "system" {
				body := c.Content[strings.LastIndex(c.Content, ": ")+2:]
				out = append(out, shown{s, c.ID(), body, c.Meta["again"] != "", stampOf(c.Meta["delivered_at"]), c.At, message.Priority(c.Meta["priority"])})
			}
		}
	}
	for _, m := range s.pulled {
		if m.Kind != "system" {
			out = append(out, shown{s, m.ID, m.Body, m.AgainOffered, stampOf(m.DeliveredAt), time.Time{}, message.Priority(m.Priority)})
		}
	}
	return out
}

// stampOf reads a time of a message; one that cannot be read is long ago.
func stampOf(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// verdict is what is wrong, and how much was looked at.
type verdict struct {
	wrong                    []string
	rows, sure, unsure, held int
}

func (v *verdict) say(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// judge checks what must hold for all messages and sessions.
func (f *flow) judge() *verdict {
	v := &verdict{}
	byID := map[string][]shown{}
	bodies, tried := map[string]bool{}, map[string]string{}
	for _, s := range f.sides {
		for body := range s.bodies {
			bodies[body] = true
		}
		for id, body := range s.tried {
			tried[id] = body
		}
	}
	for _, seat := range f.seats() {
		all := seat.showings()
		for _, m := range all {
			byID[m.id] = append(byID[m.id], m)
			if body, ours := tried[m.id]; !bodies[m.body] || ours && body != m.body {
				v.say("%s was shown %q under %s, which nobody sent so", seat.session, m.body, m.id)
			}
		}
		v.once(seat, all)
		v.gate(seat, all)
	}
	for _, s := range f.sides {
		for _, p := range s.posts {
			f.kept(v, p, byID[p.id])
		}
	}
	return v
}

// once: no session is shown a message twice without being told so.
func (v *verdict) once(s *seat, all []shown) {
	times, ids := map[string]int{}, map[string]string{}
	for _, m := range all {
		if m.again {
			continue
		}
		if times[m.id]++; times[m.id] == 2 {
			v.say("%s was shown message %s twice", s.session, m.id)
		}
		if other := ids[m.body]; other != "" && other != m.id {
			v.say("%s was shown %q under two ids", s.session, m.body)
		}
		ids[m.body] = m.id
	}
}

// gate: low is not pushed, and next not to a session that is busy.
func (v *verdict) gate(s *seat, all []shown) {
	for _, m := range all {
		switch {
		case m.pushed.IsZero():
		case m.priority == message.Low:
			v.say("%s was pushed %s, which is low", s.session, m.id)
		case m.priority == message.Next:
			from := m.pushed.Add(-pushing)
			status, age, known := s.status.during(from, m.pushed)
			if !known || status == "working" && age > decay || !s.side.steady(from, m.pushed) {
				continue
			}
			v.held++
			if status != "idle" {
				v.say("%s was pushed %s at %s, while it was %s since %s", s.session, m.id, m.pushed.Format(time.TimeOnly), status, age)
			}
		}
	}
}

// kept: each member that message_status names has the message, once for each session
// it is for, and nobody else has it.
func (f *flow) kept(v *verdict, p *post, all []shown) {
	name := fmt.Sprintf("message %s to %s", p.id, strings.Join(p.request.To, ", "))
	groups := p.groups()
	for i, r := range p.answer.Targets {
		others := len(f.sides) - 1 // the sender's own member counts if another session of it is meant
		if (r.Target == "*" || r.Target == "@all") && r.Members != others && r.Members != len(f.sides) {
			v.say("%s: %d members by target %d", name, r.Members, i)
		}
	}
	if p.session != "" && slices.ContainsFunc(all, func(m shown) bool { return m.seat.key == p.session }) {
		v.say("%s came back to the session that sent it", name)
	}
	for _, s := range f.sides {
		by := map[*seat]bool{}
		from, to := p.began, p.acked // of the commit at this member's home
		if s != p.from {
			to = to.Add(time.Hour) // it may have come at any time
		}
		for _, m := range all {
			if m.seat.side == s {
				by[m.seat] = true
				if s != p.from {
					to = m.arrived.Add(5 * time.Millisecond)
				}
			}
		}
		if len(by) > 0 && s != p.from && from.Before(to.Add(-matching)) {
			from = to.Add(-matching)
		}
		row, listed := p.rows[s.key]
		grouped := listed && (strings.HasPrefix(row.Target, "@") || row.Target == "*")
		named := 0
		for _, seat := range s.seats {
			if own, ok := p.rows[seat.key]; ok {
				named++
				v.row(name, own, by[seat])
			}
		}
		for _, seat := range s.seats {
			if _, ok := p.rows[seat.key]; ok || seat.key == p.session {
				continue
			}
			f.fits(v, p, seat, by[seat], grouped, listed, groups, from, to)
		}
		if listed {
			v.row(name, row, len(by) > 0)
		}
		if listed && !grouped && len(groups) == 0 && len(by) > max(1, named) {
			v.say("%s: %d sessions of %s have what is for one", name, len(by), row.Name)
		}
	}
}

// row: a recipient has what it is said to have, and everybody has it in the end.
func (v *verdict) row(name string, r message.Recipient, has bool) {
	v.rows++
	switch {
	case !arrived(r):
		v.say("%s is lost: %s for %s %s", name, r.State, r.Name, r.Reason)
	case !has:
		v.say("%s is %s for %s, who was never shown it", name, r.State, r.Name)
	}
}

// fits: a session that was not named has the message if a group meant it when the
// message came, and not otherwise. Whom a group means beyond its own home a sender finds
// among those it knows of: a member that it names itself it may not have known to be in one.
func (f *flow) fits(v *verdict, p *post, s *seat, has, grouped, listed bool, groups []string, from, to time.Time) {
	everybody := slices.Contains(groups, "*") || slices.Contains(groups, "@all")
	was := s.meant(groups, from, to)
	switch {
	case has && !listed:
		v.say("message %s to %s was shown to %s, whose member is no recipient", p.id, strings.Join(p.request.To, ", "), s.session)
	case !has && was == yes && (grouped || everybody):
		v.say("message %s of %s/%.8s to %s (%s) was never shown to %s, which it means: at home between %s and %s, row %v, answer %v\n  open%s\n  visible%s\n  red%s\n  red/deep%s\n  blue%s", p.id, p.from.home.Name, p.session,
			strings.Join(p.request.To, ", "), p.request.Priority, s.session, from.Format(clock), to.Format(clock), p.rows[s.side.key], p.answer.Targets,
			s.open.around(to), s.visible.around(to), s.in["red"].around(to), s.in["red/deep"].around(to), s.in["blue"].around(to))
	case has && grouped && was == no && s.side.attended(from, to):
		v.say("message %s to %s was shown to %s, which it does not mean", p.id, strings.Join(p.request.To, ", "), s.session)
	case !grouped:
	case was == perhaps:
		v.unsure++
	default:
		v.sure++
	}
}

// attended tells whether some session of the member was surely open: otherwise a
// message for it is kept for whichever comes next.
func (s *side) attended(from, to time.Time) bool {
	return slices.ContainsFunc(s.seats, func(seat *seat) bool { return sure(&seat.open, from, to) == yes })
}

// groups are the targets that mean many, without those that the answer said nobody is in:
// for all the sender knew.
func (p *post) groups() (out []string) {
	for _, r := range p.answer.Targets {
		if r.OK && (r.Target == "*" || strings.HasPrefix(r.Target, "@")) {
			out = append(out, r.Target)
		}
	}
	return out
}

// finish has everything arrive: all are there and idle. In vain is no error: judge
// tells what is missing.
func (f *flow) finish(ctx context.Context) error {
	for _, s := range f.sides {
		if err := s.up(ctx); err != nil {
			return err
		}
	}
	for _, s := range f.seats() {
		if err := s.rest(ctx); err != nil {
			return err
		}
	}
	for _, s := range f.sides {
		for _, p := range s.posts {
			err := harness.Until(ctx, func() (bool, any, error) {
				final, last := s.ask(ctx, p)
				return final, last, nil
			})
			if err != nil {
				return err
			}
		}
	}
	return harness.Until(ctx, func() (bool, any, error) {
		fresh := 0
		for _, s := range f.seats() {
			out, err := s.take(ctx, true)
			if err != nil {
				return false, nil, err
			}
			fresh += len(out.Messages) + out.More
		}
		if fresh > 0 {
			return false, fmt.Sprintf("%d new messages", fresh), nil
		}
		v := f.judge()
		return len(v.wrong) == 0, fmt.Sprintf("%d wrong", len(v.wrong)), nil
	})
}

// summary is a line about a side's messages.
func (s *side) summary() string {
	pushed, pulled, again, servers := 0, 0, 0, 0
	for _, seat := range s.seats {
		for _, m := range seat.showings() {
			switch {
			case m.again:
				again++
			case m.pushed.IsZero():
				pulled++
			default:
				pushed++
			}
		}
		servers += len(seat.agents)
	}
	kinds := map[string]int{}
	for _, p := range s.posts {
		kind := "direct"
		if len(p.groups()) > 0 {
			kind = "many"
		}
		kinds[kind+" "+string(p.request.Priority)]++
	}
	return fmt.Sprintf("%s: %d tried, %d acknowledged %v; was shown: %d pushed, %d pulled, %d again, by %d MCP servers; no acknowledgement: %v",
		s.home.Name, len(s.bodies), len(s.posts), kinds, pushed, pulled, again, servers, s.odd)
}
