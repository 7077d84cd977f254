package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
)

const (
	// guardEvery is how often a session looks whether its node still runs.
	guardEvery = time.Second
	// settle is how long the token file is given before it is believed: a process
	// that takes the session over writes it right after opening.
	settle = 500 * time.Millisecond
)

// Client is a connection that speaks for one session.
type Client interface {
	op.Doer
	op.Feed
}

// Config says which session, and how the node is reached.
type Config struct {
	// Agent describes the agent; its AgentSession must be set.
	Agent presence.OpenRequest
	// Person speaks for the user; it opens the session.
	Person op.Doer
	// As makes a connection that speaks for the session with a token.
	As func(token string) Client
	// Ensure makes sure that a node runs; Wanted tells whether one should, once it
	// was lost.
	Ensure func(context.Context) error
	Wanted func() bool
	Tokens Tokens
	Log    *slog.Logger
}

// Session is an agent's session at the node, as an op.Doer and an op.Feed. It is
// safe for concurrent use.
type Session struct {
	cfg Config

	mu     sync.Mutex // guards what follows
	token  string
	client Client // nil until opened
	self   op.Self
	speech health.Speech
}

// New prepares a session and contacts nobody.
func New(c Config) *Session { return &Session{cfg: c} }

// Open makes or takes up the session, starting a node if need be, and keeps its
// token. It is called again when the node does not know the session any more: if
// the token file then holds another token, a newer process has the session, and it
// stays there (ErrTaken).
func (s *Session) Open(ctx context.Context) error {
	if token := s.current(); token != "" {
		if err := s.mayReopen(ctx, token); err != nil {
			return err
		}
	}
	if err := s.cfg.Ensure(ctx); err != nil {
		return err
	}
	out, err := presence.Open.Call(ctx, s.cfg.Person, op.Caller{}, s.cfg.Agent)
	if err != nil {
		return err
	}
	if err := s.cfg.Tokens.Put(s.cfg.Agent.AgentSession, out.Token); err != nil {
		return err
	}
	s.cfg.Log.Info("session open", "session", out.Session, "name", out.Name, "resumed", out.Resumed)
	s.mu.Lock()
	s.token, s.client = out.Token, s.cfg.As(out.Token)
	s.self = op.Self{Name: out.Name, Role: s.cfg.Agent.Role, Mode: out.Mode}
	speech := s.speech
	s.mu.Unlock()
	if speech != (health.Speech{}) {
		s.speak(ctx, speech) // a node that was started anew does not know it
	}
	return nil
}

// Speak tells the node what the MCP server and its client have agreed on, now and
// whenever the session is opened anew.
func (s *Session) Speak(ctx context.Context, speech health.Speech) {
	s.mu.Lock()
	s.speech = speech
	open := s.client != nil
	s.mu.Unlock()
	if open {
		s.speak(ctx, speech)
	}
}

// speak tells it. A node that is not told shows that it does not know.
func (s *Session) speak(ctx context.Context, speech health.Speech) {
	if _, err := health.Speak.Call(ctx, s, op.Caller{}, health.SpeakRequest{Speech: speech}); err != nil && ctx.Err() == nil {
		s.cfg.Log.Debug("not told what is spoken", "error", err)
	}
}

// Self is what the node said of the session when it was opened, and whether it was.
func (s *Session) Self() (op.Self, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.self, s.client != nil
}

// mayReopen refuses to open a session that others have, or whose node a person
// has stopped.
func (s *Session) mayReopen(ctx context.Context, token string) error {
	if !s.cfg.Wanted() {
		return op.Errorf(op.Unavailable, "the node was stopped").WithHint("start it with `claudemesh node up`")
	}
	if !sleep(ctx, settle) {
		return ctx.Err()
	}
	if kept, ok := s.cfg.Tokens.Get(s.cfg.Agent.AgentSession); ok && kept != token {
		return op.Errorf(op.Denied, "%w", ErrTaken).WithHint("go on in the newer one, or restart this agent")
	}
	return nil
}

// Guard keeps a node running until ctx ends: one that was lost is started again,
// unless a person has stopped it.
func (s *Session) Guard(ctx context.Context) {
	for sleep(ctx, guardEvery) {
		if s.current() == "" || !s.cfg.Wanted() {
			continue
		}
		if err := s.cfg.Ensure(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("no node", "error", err)
		}
	}
}

// Do asks the node in the session's name.
func (s *Session) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	client, err := s.connection()
	if err != nil {
		return nil, err
	}
	return client.Do(ctx, c, id, in)
}

// Follow gives the session's changes until ctx ends, fn fails, or the node does not
// know the session any more: then Open is to be called again.
func (s *Session) Follow(ctx context.Context, c op.Caller, cursor string, fn func(op.Event) error) error {
	client, err := s.connection()
	if err != nil {
		return err
	}
	return client.Follow(ctx, c, cursor, fn)
}

func (s *Session) connection() (Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return nil, op.Errorf(op.Unavailable, "not connected").WithHint("`claudemesh node status` tells why")
	}
	return s.client, nil
}

func (s *Session) current() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// sleep waits and tells whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
