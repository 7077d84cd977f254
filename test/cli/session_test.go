//go:build unix

package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// newHome makes a home whose commands and agents start their node by themselves.
func newHome(t *testing.T) *harness.Home {
	t.Helper()
	w := harnesstest.World(t, harness.Config{Bin: program, Env: []string{"CLAUDEMESH_AUTOSTART=1"}})
	h, err := w.Home("ana")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if out, err := h.Command(ctx, "node", "down"); err != nil || out.Status != 0 {
			t.Errorf("a node outlives its test: %+v, %v", out, err)
		}
	})
	return h
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

type whoami struct {
	Session    string `json:"session"`
	Agent      string `json:"agent_session"`
	Identities []struct {
		Name       string `json:"name"`
		SessionKey string `json:"session_key"`
	} `json:"identities"`
}

// Commands that an agent runs act as its session, all others as the person.
func TestCommandsInsideAnAgentActAsItsSession(t *testing.T) {
	ctx, h := limited(t), newHome(t)
	if out, err := h.Command(ctx, "new", "one"); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	agent, err := h.Agent(ctx, harness.AgentConfig{Session: "s-1", Name: "robin"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.CallTool(ctx, "list_peers", map[string]any{}); err != nil {
		t.Fatal(err)
	}
	var person, inside, other whoami
	for _, c := range []struct {
		env  []string
		into *whoami
	}{
		{nil, &person},
		{[]string{"CLAUDE_CODE_SESSION_ID=s-1"}, &inside},
		{[]string{"CLAUDE_CODE_SESSION_ID=unknown"}, &other},
	} {
		if err := h.JSONEnv(ctx, c.env, c.into, "whoami"); err != nil {
			t.Fatal(err)
		}
	}
	if inside.Agent != "s-1" || inside.Identities[0].Name != "robin" {
		t.Errorf("inside: %+v", inside)
	}
	if person.Session != "" || person.Identities[0].SessionKey == inside.Identities[0].SessionKey {
		t.Errorf("outside: %+v", person)
	}
	if other.Session != "" {
		t.Errorf("in an agent that is not on the mesh: %+v", other)
	}
	out, err := h.CommandEnv(ctx, []string{"CLAUDE_CODE_SESSION_ID=s-1"}, "leave", "one")
	if err != nil || out.Status != 7 || !strings.Contains(out.Stderr, "terminal") {
		t.Errorf("an agent left a mesh: %+v, %v", out, err)
	}
}

// An agent brings its node with it, gets it back when it was killed, and leaves it
// alone when a person has stopped it.
func TestAnAgentAndItsNode(t *testing.T) {
	ctx, h := limited(t), newHome(t)
	agent, err := h.Agent(ctx, harness.AgentConfig{Session: "s-1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.CallTool(ctx, "list_peers", map[string]any{}); err != nil {
		t.Fatal(err)
	}
	hello, err := h.API().Hello(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(hello.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The first call may meet the end of the old node, and says so.
	err = harness.Until(ctx, func() (bool, any, error) {
		r, err := agent.CallTool(ctx, "list_peers", map[string]any{})
		return !r.IsError, r.Text(), err
	})
	if err != nil {
		t.Fatalf("after the node was killed: %v", err)
	}
	again, err := h.API().Hello(ctx)
	if err != nil || again.PID == hello.PID {
		t.Fatalf("%+v, %v", again, err)
	}
	if out, err := h.Command(ctx, "node", "down"); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	if out, err := h.Command(ctx, "node", "status", "--json"); err != nil || !strings.Contains(out.Stdout, `"running": false`) {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := agent.Interrupt(ctx); err != nil {
		t.Fatalf("no clean end: %v", err)
	}
}

// The logs of an agent's server hold neither its token nor its environment.
func TestLogsHoldNoSecrets(t *testing.T) {
	ctx, h := limited(t), newHome(t)
	const secret = "a-secret-of-the-agent"
	agent, err := h.Agent(ctx, harness.AgentConfig{Session: "s-1", Env: []string{"ANTHROPIC_API_KEY=" + secret, "CLAUDEMESH_DEBUG=1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.CallTool(ctx, "list_peers", map[string]any{}); err != nil {
		t.Fatal(err)
	}
	tokens, err := filepath.Glob(filepath.Join(h.Dir, "sessions", "*.json"))
	if err != nil || len(tokens) != 1 {
		t.Fatal(tokens, err)
	}
	entry, err := os.ReadFile(tokens[0])
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(string(entry), `"token":"`)
	token, _, _ = strings.Cut(token, `"`)
	logs, err := filepath.Glob(filepath.Join(h.Dir, "logs", "*.log"))
	if err != nil || len(logs) != 2 || len(token) != 64 {
		t.Fatal(logs, err)
	}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), token) || strings.Contains(string(text), secret) {
			t.Errorf("%s holds a secret", filepath.Base(path))
		}
	}
	if environ, err := os.ReadFile("/proc/" + nodePID(ctx, t, h) + "/environ"); err == nil && strings.Contains(string(environ), secret) {
		t.Error("the node got the agent's environment")
	}
}

func nodePID(ctx context.Context, t *testing.T, h *harness.Home) string {
	t.Helper()
	var status struct {
		PID int `json:"pid"`
	}
	if err := h.JSON(ctx, &status, "node", "status"); err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(status.PID)
}
