package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
)

// Limit is how long a hook works on an event once it has heard of it.
const Limit = 60 * time.Millisecond

// Config is what a hook works with. All fields are needed.
type Config struct {
	In  io.Reader
	Out io.Writer
	// Person speaks for the user, As for a session with its token.
	Person op.Doer
	As     func(token string) op.Doer
	Tokens agent.Tokens
	// Parents are the processes above this one, nearest first: one of them is the agent.
	Parents func() []int
	// Cwd is the folder if the agent does not tell it.
	Cwd string
	Log *slog.Logger
}

// Run does what is to be done at an event. It writes the answer, or nothing, and
// returns within Limit of having read the input; an error is for the debug log alone.
// What is still under way then ends with the process.
func Run(ctx context.Context, c Config, event string) error {
	said := hear(c.In)
	in, err := said.input()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	h := &hook{Config: c}
	done := make(chan error, 1)
	go func() { done <- h.run(ctx, event, in) }()
	select {
	case err := <-done:
		said.rest(ctx)
		return err
	case <-ctx.Done():
	}
	// Whoever holds the output may be writing; a late one no longer may.
	h.writing.Lock()
	defer h.writing.Unlock()
	h.late = true
	return errLate
}

// hook is one run.
type hook struct {
	Config

	writing sync.Mutex // guards late and the output
	late    bool
}

func (h *hook) run(ctx context.Context, event string, in Input) error {
	if in.Cwd == "" {
		in.Cwd = h.Cwd
	}
	var s seen
	s.look([]byte(in.Prompt))
	if err := s.transcript(in.Transcript); err != nil {
		h.Log.Debug("transcript not read", "error", err)
	}
	p, err := planned(event, in, s)
	if err != nil {
		return err
	}
	h.Log.Debug("hook", "event", event, "status", p.report.Status, "ids", len(s.ids), "channel", s.channel)
	p.report.PIDs = h.Parents()
	if len(p.report.PIDs) > 0 {
		p.report.PID = p.report.PIDs[0]
	}
	switch {
	case p.stop:
		return h.stop(ctx, p, in.Session)
	case p.ends:
		return h.end(ctx, p, in.Session)
	}
	return h.step(ctx, p, in.Session)
}

// stop is for an agent that stops: it is idle only if it is handed nothing.
func (h *hook) stop(ctx context.Context, p plan, session string) error {
	handed, err := h.hand(ctx, p, session)
	if handed {
		p.report.Status = "working"
	}
	return errors.Join(err, h.report(ctx, p, session))
}

// end is for an agent that has gone.
func (h *hook) end(ctx context.Context, p plan, session string) error {
	_, err := h.hand(ctx, p, session)
	_, closed := presence.Close.Call(ctx, h.Person, op.Caller{}, presence.CloseRequest{AgentSession: session})
	return errors.Join(err, closed)
}

// step is for all else: the report and the messages do not wait for each other, unless
// the session is not known by its id.
func (h *hook) step(ctx context.Context, p plan, session string) error {
	if _, known := h.Tokens.Get(session); !known {
		if err := h.report(ctx, p, session); err != nil {
			return err
		}
		_, err := h.hand(ctx, p, session)
		return err
	}
	var reporting sync.WaitGroup
	var reported error
	reporting.Go(func() { reported = h.report(ctx, p, session) })
	_, err := h.hand(ctx, p, session)
	reporting.Wait()
	return errors.Join(err, reported)
}

// report tells what the agent does, and has its token found under the id it goes by
// now: after /clear that is another.
func (h *hook) report(ctx context.Context, p plan, session string) error {
	out, err := presence.Report.Call(ctx, h.Person, op.Caller{}, p.report)
	if err != nil || out.OpenedAs == "" || out.OpenedAs == session || session == "" {
		return err
	}
	have, _ := h.Tokens.Get(session)
	token, ok := h.Tokens.Get(out.OpenedAs)
	if !ok || token == have {
		return nil
	}
	h.Log.Debug("the session goes on under another id")
	return h.Tokens.Put(session, token)
}

// hand tells what the transcript shows, and hands out what there is. Messages that were
// written are confirmed; what was not written is given again later.
func (h *hook) hand(ctx context.Context, p plan, session string) (bool, error) {
	if !p.hand.Take && len(p.hand.Shown) == 0 {
		return false, nil
	}
	token, ok := h.Tokens.Get(session)
	if !ok {
		return false, nil
	}
	doer := h.As(token)
	out, err := message.Hand.Call(ctx, doer, op.Caller{}, p.hand)
	if err != nil || len(out.Messages) == 0 {
		return false, err
	}
	text, err := answer(p, out)
	if err != nil {
		return false, err
	}
	if err := h.write(text); err != nil {
		return false, err
	}
	return true, h.confirm(ctx, doer, out)
}

// write writes the answer, unless it is too late.
func (h *hook) write(text []byte) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	if h.late {
		return errLate
	}
	_, err := h.Out.Write(text)
	return err
}

// confirm tells that messages were written.
func (h *hook) confirm(ctx context.Context, doer op.Doer, out message.HandResponse) error {
	_, request := out.Report()
	in, ok := request.(message.ReadRequest)
	if !ok {
		return fmt.Errorf("confirm: a report of %T", request)
	}
	_, err := message.Read.Call(ctx, doer, op.Caller{}, in)
	return err
}
