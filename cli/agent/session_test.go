package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeNode knows one session and gives a new token at each opening.
type fakeNode struct {
	mu       sync.Mutex
	down     bool
	unwanted bool
	opens    int
	token    string
	starts   int
}

func denied() error { return op.Errorf(op.Denied, "unknown token") }

func (n *fakeNode) Do(_ context.Context, _ op.Caller, id string, _ json.RawMessage) (json.RawMessage, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, op.Errorf(op.Unavailable, "down")
	}
	if id != presence.Open.ID {
		return nil, op.Errorf(op.NotFound, "no %s", id)
	}
	n.opens++
	n.token = string(rune('a'+n.opens-1)) + "-token"
	return json.Marshal(presence.OpenResponse{Token: n.token, Name: "ana"})
}

// conn speaks with one token.
type conn struct {
	n     *fakeNode
	token string
}

func (c conn) good() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.token != c.n.token {
		return denied()
	}
	return nil
}

func (c conn) Do(_ context.Context, _ op.Caller, _ string, _ json.RawMessage) (json.RawMessage, error) {
	if err := c.good(); err != nil {
		return nil, err
	}
	return json.RawMessage(`{}`), nil
}

func (c conn) Follow(context.Context, op.Caller, string, func(op.Event) error) error {
	return c.good()
}

func (n *fakeNode) ensure(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.starts++
	return nil
}

func newSession(t *testing.T, n *fakeNode) (*agent.Session, agent.Tokens) {
	t.Helper()
	tokens := agent.Tokens(t.TempDir())
	return agent.New(agent.Config{
		Agent:  presence.OpenRequest{AgentSession: "id"},
		Person: n,
		As:     func(token string) agent.Client { return conn{n, token} },
		Ensure: n.ensure,
		Wanted: func() bool { return !n.unwanted },
		Tokens: tokens,
		Log:    slog.New(slog.DiscardHandler),
	}), tokens
}

func TestASessionIsOpenedAndSpeaksWithItsToken(t *testing.T) {
	n := &fakeNode{}
	s, tokens := newSession(t, n)
	if _, err := s.Do(t.Context(), op.Caller{}, "peers.list", nil); op.CodeOf(err) != op.Unavailable {
		t.Fatalf("before it was opened: %v", err)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if self, ok := s.Self(); !ok || self.Name != "ana" {
		t.Errorf("known as %+v, %v", self, ok)
	}
	if token, ok := tokens.Get("id"); !ok || token != "a-token" {
		t.Fatalf("kept %q, %v", token, ok)
	}
	if _, err := s.Do(t.Context(), op.Caller{}, "peers.list", nil); err != nil {
		t.Fatal(err)
	}
}

// Line 16 of the bug catalogue: whatever keeps a session from being registered comes
// out of Open, and what is asked of the session then says so.
func TestAFailedRegistrationIsNotSwallowed(t *testing.T) {
	for name, spoil := range map[string]func(*fakeNode, agent.Tokens) error{
		"the node is down": func(n *fakeNode, _ agent.Tokens) error { n.down = true; return nil },
		"the token cannot be kept": func(_ *fakeNode, k agent.Tokens) error {
			return os.WriteFile(filepath.Join(string(k), "sessions"), nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := &fakeNode{}
			s, tokens := newSession(t, n)
			if err := spoil(n, tokens); err != nil {
				t.Fatal(err)
			}
			if err := s.Open(t.Context()); err == nil {
				t.Error("the failure is swallowed")
			}
			if _, err := s.Do(t.Context(), op.Caller{}, "peers.list", nil); op.CodeOf(err) != op.Unavailable {
				t.Errorf("afterwards: %v", err)
			}
			if err := s.Follow(t.Context(), op.Caller{}, "", nil); op.CodeOf(err) != op.Unavailable {
				t.Errorf("its feed: %v", err)
			}
		})
	}
}

func TestAForgottenSessionIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNode{}
		s, _ := newSession(t, n)
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.token = "lost"
		if err := s.Follow(t.Context(), op.Caller{}, "", nil); op.CodeOf(err) != op.Denied {
			t.Fatal(err)
		}
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Do(t.Context(), op.Caller{}, "peers.list", nil); err != nil {
			t.Fatal(err)
		}
	})
}

func TestASessionTakenOverIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNode{}
		s, tokens := newSession(t, n)
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tokens.Put("id", "newer"); err != nil {
			t.Fatal(err)
		}
		if err := s.Open(t.Context()); !errors.Is(err, agent.ErrTaken) || op.CodeOf(err) != op.Denied {
			t.Fatal(err)
		}
		if n.opens != 1 {
			t.Fatal("took the session back")
		}
	})
}

func TestANodeStoppedByAPersonStaysStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNode{unwanted: true}
		s, _ := newSession(t, n)
		if err := s.Open(t.Context()); err != nil {
			t.Fatalf("a new session does not start the node: %v", err)
		}
		if err := s.Open(t.Context()); op.CodeOf(err) != op.Unavailable {
			t.Fatal(err)
		}
		guard(t, s)
		if n.starts != 1 {
			t.Fatalf("started %d times", n.starts)
		}
	})
}

func TestALostNodeIsBroughtBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNode{}
		s, _ := newSession(t, n)
		guard(t, s)
		if n.starts != 0 {
			t.Fatal("a session that was never open started a node")
		}
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		guard(t, s)
		if n.starts < 3 {
			t.Fatalf("looked for the node %d times", n.starts)
		}
	})
}

// guard lets the session look after its node for ten seconds.
func guard(t *testing.T, s *agent.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s.Guard(ctx)
}

func TestTokens(t *testing.T) {
	tokens := agent.Tokens(t.TempDir())
	if _, ok := tokens.Get("x"); ok {
		t.Fatal("a token from nowhere")
	}
	evil := "../../x\x00/../id"
	for _, id := range []string{"x", evil} {
		if err := tokens.Put(id, "t-"+id); err != nil {
			t.Fatal(err)
		}
		if got, ok := tokens.Get(id); !ok || got != "t-"+id {
			t.Fatalf("%q: %q, %v", id, got, ok)
		}
	}
	if _, ok := tokens.Get(""); ok {
		t.Fatal("a token without a session")
	}
	paths, err := filepath.Glob(filepath.Join(string(tokens), "sessions", "*"))
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	if info, err := os.Stat(paths[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if err := os.Chtimes(paths[0], time.Time{}, time.Now().AddDate(-1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Prune(time.Now()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(string(tokens), "sessions", "*")); len(left) != 1 {
		t.Fatalf("left %v", left)
	}
}

func TestID(t *testing.T) {
	env := map[string]string{}
	get := func(k string) string { return env[k] }
	if agent.ID(get) != "" {
		t.Fatal("an id from nowhere")
	}
	env[agent.EnvClaudeSession] = "claude"
	if agent.ID(get) != "claude" {
		t.Fatal("the agent's own id was not taken")
	}
	env[agent.EnvSession] = "ours"
	if agent.ID(get) != "ours" {
		t.Fatal("our id does not win")
	}
	env[agent.EnvFolder] = "/tmp/claudemesh-1"
	if agent.ID(get) != "claude" {
		t.Fatal("an agent inside a launched session passes for it")
	}
	delete(env, agent.EnvClaudeSession)
	if agent.ID(get) != "ours" {
		t.Fatal("the launched session has no id")
	}
}

func TestOldLogsGo(t *testing.T) {
	dir := t.TempDir()
	logs := filepath.Join(dir, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mcp-1.log", "mcp-2.log", "mcp-x.log", "node.log"} {
		if err := os.WriteFile(filepath.Join(logs, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, f, err := agent.OpenLog(dir, 7, func(pid int) bool { return pid == 2 }, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log.Info("hello")
	left, err := filepath.Glob(filepath.Join(logs, "*"))
	if err != nil || len(left) != 4 {
		t.Fatalf("%v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(logs, "mcp-1.log")); err == nil {
		t.Error("the log of a dead process stayed")
	}
}
