package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
)

const (
	// guardEvery is how often a session looks whether its node still runs.
	guardEvery = 3 * time.Second
	// openEvery is the pause between attempts to open the session.
	openEvery = time.Second
	// patience is how long a call waits for a session that is not open yet.
	patience = 15 * time.Second
	// settle is how long after a refusal the token file is looked at: the process
	// that took the session over writes it right after opening.
	settle = 500 * time.Millisecond
)

// Client is a connection that speaks for one session.
type Client interface {
	op.Doer
	op.Feed
}

// Config says which session, and how the node is reached.
type Config struct {
	// Open describes the agent; Open.AgentSession must be set.
	Open presence.OpenRequest
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

// Session is an agent's session at the node, as an op.Doer and an op.Feed. Calls
// wait until Run has opened it. It is safe for concurrent use.
type Session struct {
	cfg Config

	mu     sync.Mutex // guards what follows
	token  string
	client Client        // nil until opened
	opened chan struct{} // closed once client is set
	why    error         // why it is not open
	taken  bool          // somebody else has the session: never open it again
}

// New prepares a session and contacts nobody.
func New(c Config) *Session { return &Session{cfg: c, opened: make(chan struct{})} }

// Run opens the session, again and again until it works, and then keeps a node
// running, until ctx ends.
func (s *Session) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := s.open(ctx)
		if err == nil {
			break
		}
		s.cfg.Log.Warn("session not opened", "error", err)
		s.mu.Lock()
		s.why = err
		s.mu.Unlock()
		sleep(ctx, openEvery)
	}
	for sleep(ctx, guardEvery) {
		if !s.cfg.Wanted() {
			continue
		}
		if err := s.cfg.Ensure(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("no node", "error", err)
		}
	}
	return nil
}

// open makes or takes up the session and keeps its token.
func (s *Session) open(ctx context.Context) error {
	if err := s.cfg.Ensure(ctx); err != nil {
		return err
	}
	out, err := presence.Open.Call(ctx, s.cfg.Person, op.Caller{}, s.cfg.Open)
	if err != nil {
		return err
	}
	if err := s.cfg.Tokens.Put(s.cfg.Open.AgentSession, out.Token); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.why = out.Token, nil
	first := s.client == nil
	s.client = s.cfg.As(out.Token)
	if first {
		close(s.opened)
	}
	s.cfg.Log.Info("session open", "session", out.Session, "name", out.Name, "resumed", out.Resumed)
	return nil
}

// Do asks the node in the session's name.
func (s *Session) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	client, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	out, err := client.Do(ctx, c, id, in)
	if op.CodeOf(err) != op.Denied || !s.renewed(ctx, client) {
		return out, err
	}
	if client, err = s.ready(ctx); err != nil {
		return nil, err
	}
	return client.Do(ctx, c, id, in)
}

// Follow gives the session's changes until ctx ends, fn fails or another process
// takes the session over (ErrTaken).
func (s *Session) Follow(ctx context.Context, c op.Caller, cursor string, fn func(op.Event) error) error {
	for {
		client, err := s.wait(ctx)
		if err != nil {
			return err
		}
		err = client.Follow(ctx, c, cursor, func(e op.Event) error {
			if err := fn(e); err != nil {
				return err
			}
			if e.Cursor != "" {
				cursor = e.Cursor
			}
			return nil
		})
		if ctx.Err() != nil || op.CodeOf(err) != op.Denied {
			return err
		}
		if !s.renewed(ctx, client) {
			if s.isTaken() {
				return ErrTaken
			}
			// The session is good, the feed was refused: follow again a little later.
			sleep(ctx, openEvery)
		}
	}
}

// ready returns the connection, waiting a while for the session to open.
func (s *Session) ready(ctx context.Context) (Client, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := s.wait(limited)
	if err == nil || ctx.Err() != nil || limited.Err() == nil {
		return client, err
	}
	s.mu.Lock()
	why := s.why
	s.mu.Unlock()
	if why == nil {
		why = fmt.Errorf("the node has not answered for %s", patience)
	}
	return nil, op.Errorf(op.Unavailable, "not connected: %w", why).
		WithHint("`claudemesh node status` and `claudemesh node logs` tell why")
}

// wait returns the connection as soon as the session is open.
func (s *Session) wait(ctx context.Context) (Client, error) {
	select {
	case <-s.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken {
		return nil, op.Errorf(op.Denied, "%w", ErrTaken).WithHint("go on in the newer one, or restart this agent")
	}
	return s.client, nil
}

// renewed is asked after a refusal. It opens the session anew if the node does not
// know its token any more, and tells whether it did. If the token file holds
// another token, a newer process has the session, and it stays there.
func (s *Session) renewed(ctx context.Context, refused Client) bool {
	if _, err := presence.Whoami.Call(ctx, refused, op.Caller{}, presence.WhoamiRequest{}); op.CodeOf(err) != op.Denied {
		return false // the token is good, what was asked for is not allowed
	}
	if !sleep(ctx, settle) {
		return false
	}
	s.mu.Lock()
	current, token := s.client, s.token
	s.mu.Unlock()
	if current != refused {
		return true // another call has renewed it
	}
	if kept, ok := s.cfg.Tokens.Get(s.cfg.Open.AgentSession); ok && kept != token {
		s.cfg.Log.Warn("session taken over by a newer process")
		s.mu.Lock()
		s.taken = true
		s.mu.Unlock()
		return false
	}
	if err := s.open(ctx); err != nil {
		s.cfg.Log.Warn("session not renewed", "error", err)
		return false
	}
	return true
}

func (s *Session) isTaken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
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
