package session

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/node/surface/mcp"
)

const (
	// lastWords is how long the server may take to end after a signal: agents kill
	// it soon after.
	lastWords = 60 * time.Millisecond
	// nodePatience is how long a tool call waits for a node that restarts.
	nodePatience = 10 * time.Second
)

func (a *app) mcpCommand() *cobra.Command {
	var tools, mode, rights string
	var joins bool
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve one agent session over stdio (agents start this)",
		Long: "Serve one agent session over stdio, speaking the Model Context Protocol. Agents start\n" +
			"this: `claude mcp add claudemesh -- claudemesh mcp`. Every tool costs the agent tokens:\n" +
			"core serves those for messages, presence and state, none serves none and tells the\n" +
			"agent which commands to run instead. What is pushed to it stays the same.",
		Example: "claudemesh mcp --tools core --joins=false",
		Args:    run.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.Term.Document(false)
			var flags settings.Flags
			if cmd.Flags().Changed("tools") {
				flags.Tools = &tools
			}
			if cmd.Flags().Changed("message-mode") {
				flags.Mode = &mode
			}
			if cmd.Flags().Changed("rights") {
				flags.Rights = &rights
			}
			if cmd.Flags().Changed("joins") {
				flags.Joins = &joins
			}
			return a.serveMCP(cmd.Context(), flags)
		},
	}
	cmd.Flags().StringVar(&tools, "tools", "full", "`how` many tools: full, core or none")
	cmd.Flags().StringVar(&mode, "message-mode", "", "`how` messages come to this session: push, inbox or off (default as its member's profile says)")
	cmd.Flags().StringVar(&rights, "rights", "", "`what` this session may do, others check it too: send, broadcast, state-read, state-write, file-read, file-write, call, profile; state, file, all or none (default all)")
	cmd.Flags().BoolVar(&joins, "joins", true, "tell the agent who comes and goes")
	return cmd
}

// serveMCP answers the agent at once and finds the node meanwhile. It ends with
// stdin or a signal, and never takes long about it: the node gives a session whose
// feed has gone time to come back, so that there is nothing to say goodbye for.
func (a *app) serveMCP(ctx context.Context, flags settings.Flags) error {
	dir, err := a.Dir()
	if err != nil {
		return err
	}
	set, err := a.Settings(dir, flags)
	if err != nil {
		return err
	}
	if err := node.CheckRights(set.Rights.Value); err != nil {
		return err
	}
	log, file, err := agent.OpenLog(dir, os.Getpid(), daemon.Alive, a.Debug())
	if err != nil {
		return err
	}
	defer file.Close()
	session := a.agentSession(dir, set, log)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { session.Guard(ctx) })
	work.Go(func() {
		defer cancel()
		err := mcp.Serve(ctx, mcp.Config{
			Doer: a.Bounded(a.preferred(session)), Feed: session, Ready: session.Open, Catalogue: node.Catalogue(),
			Tools: mcp.Tier(set.Tools.Value),
			Self: func() op.Self {
				if self, ok := session.Self(); ok {
					return self
				}
				return op.Self{Name: a.agentName(set), Role: a.agentRole(set), Mode: set.MessageMode.Value}
			},
			Agreed: func(ctx context.Context, agreed mcp.Agreement) {
				session.Speak(ctx, health.Speech{Protocol: agreed.Protocol, Client: agreed.Client, Server: a.Env.Version})
			},
			In: a.Env.In, Out: a.Env.Out, Version: a.Env.Version, Log: log,
		})
		log.Info("mcp server ended", "error", err)
	})
	<-ctx.Done()
	within(lastWords, work.Wait)
	return nil
}

// agentSession describes the agent that started this process.
func (a *app) agentSession(dir string, set settings.Settings, log *slog.Logger) *agent.Session {
	id := agent.ID(a.Env.Getenv)
	if id == "" {
		id = strconv.Itoa(os.Getppid()) + "-" + strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
	cwd, err := os.Getwd()
	if err != nil {
		log.Warn("working folder unknown", "error", err)
	}
	tokens := agent.Tokens(dir)
	if err := tokens.Prune(time.Now()); err != nil {
		log.Warn("old tokens not removed", "error", err)
	}
	launched := a.Launched()
	ctl := a.Control(dir, log)
	client := local.NewClient(local.ClientConfig{Socket: local.SocketPath(dir), Patience: nodePatience, Log: log})
	return agent.New(agent.Config{
		Agent: presence.OpenRequest{
			AgentSession: id,
			Name:         a.agentName(set), Role: a.agentRole(set), Mode: sessionMode(set), Quiet: !set.Joins.Value, Rights: set.Rights.Value,
			Mesh: launched.Mesh, Groups: groupWords(launched.Groups),
			PID: os.Getppid(), Cwd: cwd,
			PeerType: "ai", Channel: "claude-code", Model: a.Env.Getenv("CLAUDE_MODEL"),
		},
		Person: client,
		As:     func(token string) agent.Client { return client.As(token) },
		Ensure: func(ctx context.Context) error {
			s, err := ctl.Ensure(ctx)
			if err == nil && s.Version != a.Env.Version {
				log.Debug("the node is of another version", "node", s.Version, "mcp", a.Env.Version)
			}
			if err != nil && ctx.Err() == nil {
				return run.AsError(ctx, err)
			}
			return err
		},
		Wanted: ctl.Wanted,
		Tokens: tokens,
		Log:    log,
	})
}

// agentName is the name the session asks for, or empty for the member's.
func (a *app) agentName(set settings.Settings) string {
	return run.First(a.Env.Getenv("CLAUDEMESH_DISPLAY_NAME"), set.DisplayName.Value)
}

func (a *app) agentRole(set settings.Settings) string {
	return run.First(a.Env.Getenv("CLAUDEMESH_ROLE"), set.Role.Value)
}

// sessionMode is the message mode that this session asks for, or empty for that of its
// member's profile or of its machine, which the node knows.
func sessionMode(set settings.Settings) string {
	if set.MessageMode.OfMachine() {
		return ""
	}
	return set.MessageMode.Value
}

// within gives work a limited time. What is not done by then ends with the
// process: a read of stdin can be waited for, but not be called back.
func within(limit time.Duration, work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
