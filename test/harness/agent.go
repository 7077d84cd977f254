package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// AgentConfig describes an agent that starts the MCP server.
type AgentConfig struct {
	// Session is the agent's own session id, told as Claude Code tells its own.
	Session string
	// Name is the display name; empty means the user's.
	Name string
	// Args are flags of `claudemesh mcp`.
	Args []string
	// Env is added to the server's environment, as KEY=VALUE.
	Env []string
}

// Agent is an agent's end of `claudemesh mcp`: a client of the MCP server that
// speaks as Claude Code does and keeps all channel notifications. It is safe for
// concurrent use.
type Agent struct {
	*Process
	// Ready is how long it took from the start of the process to the answer to
	// tools/list.
	Ready time.Duration
	// Server is the server's answer to initialize.
	Server ServerInfo
	// Tools are the names of the tools it offers.
	Tools []string

	rpc *rpc

	mu          sync.Mutex // guards what follows
	channels    []Channel
	changed     chan struct{} // closed and made anew at each change
	initialized bool
	wrong       error // the first breach of the protocol
}

// ServerInfo is what a server says of itself.
type ServerInfo struct {
	ProtocolVersion string `json:"protocolVersion"`
	Capabilities    struct {
		Experimental map[string]json.RawMessage `json:"experimental"`
		Tools        *struct{}                  `json:"tools"`
	} `json:"capabilities"`
	ServerInfo struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"serverInfo"`
	Instructions string `json:"instructions"`
}

// Agent starts `claudemesh mcp` as an agent would and goes through the beginning
// of the protocol.
func (h *Home) Agent(ctx context.Context, cfg AgentConfig) (*Agent, error) {
	h.mu.Lock()
	h.count++
	name := fmt.Sprintf("%s-agent-%d", h.Name, h.count)
	h.mu.Unlock()
	env := slices.Concat(h.env, []string{"CLAUDECODE=1", "CLAUDE_CODE_SESSION_ID=" + cfg.Session}, cfg.Env)
	if cfg.Name != "" {
		env = append(env, "CLAUDEMESH_DISPLAY_NAME="+cfg.Name)
	}
	began := time.Now()
	a, err := h.world.agent(launch{name: name, args: append([]string{"mcp"}, cfg.Args...), env: env, dir: h.work})
	if err != nil {
		return nil, err
	}
	if err := a.begin(ctx); err != nil {
		a.Kill()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, a.Tail())
	}
	a.Ready = time.Since(began)
	return a, nil
}

// agent starts a server between two pipes.
func (w *World) agent(l launch) (*Agent, error) {
	stdin, toServer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	fromServer, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pipe: %w", err), stdin.Close(), toServer.Close())
	}
	a := &Agent{changed: make(chan struct{})}
	a.rpc = newRPC(toServer, fromServer, a.notified, a.breach)
	l.stdin, l.stdout, l.follow = stdin, stdout, a.follow
	a.Process, err = w.start(l)
	// The server holds its ends itself now.
	err = errors.Join(err, stdin.Close(), stdout.Close())
	if a.Process == nil {
		return nil, errors.Join(err, toServer.Close(), fromServer.Close())
	}
	return a, err
}

// follow reads until the server has ended.
func (a *Agent) follow() {
	a.rpc.read()
	_ = a.rpc.in.Close() // nobody reads it any more
}

// EOF closes the server's stdin, which asks it to end.
func (a *Agent) EOF() error { return a.rpc.in.Close() }

// Kill ends the server with kill -9 and waits for its last words.
func (a *Agent) Kill() {
	a.Process.Kill()
	<-a.rpc.done
}

// Call sends a request of the protocol and returns its result.
func (a *Agent) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	return a.rpc.call(ctx, method, params)
}

// breach keeps the first breach of the protocol.
func (a *Agent) breach(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wrong == nil {
		a.wrong = err
	}
	a.wake()
}

// Breach is the first thing the server did that a client drops or refuses, or
// nil: a line that is no JSON-RPC, a notification too early or of the wrong form.
func (a *Agent) Breach() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wrong
}

// wake tells those who wait that something changed. The caller holds mu.
func (a *Agent) wake() {
	close(a.changed)
	a.changed = make(chan struct{})
}
