package session

import (
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/cli/hook"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// envHookDebug, set to 1, has hooks say on stderr what they do.
const envHookDebug = "CLAUDEMESH_HOOK_DEBUG"

// hookCommand is what agents call. It never fails: an agent would show that to its user
// at every step, or stop.
func (a *app) hookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hook <event>",
		Short: "Hear of an event of an agent (agents call this)",
		Long: "Hear of an event of an agent, described in JSON on stdin. It keeps the session's status,\n" +
			"and hands out messages that cannot be pushed. It is silent, always exits with 0 and never\n" +
			"takes long; " + envHookDebug + "=1 says on stderr what it does.",
		Hidden: true,
		Args:   cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.Term.Document(false)
			log := slog.New(slog.DiscardHandler)
			if a.Env.Getenv(envHookDebug) == "1" {
				log = a.Term.Logger(true)
			}
			if err := a.hook(cmd, strings.Join(args, " "), log); err != nil {
				log.Debug("hook ended", "error", err)
			}
			return nil
		},
	}
	cmd.SetFlagErrorFunc(func(*cobra.Command, error) error { return nil })
	return cmd
}

func (a *app) hook(cmd *cobra.Command, event string, log *slog.Logger) error {
	f, err := settings.Find(a.Env.Getenv)
	if err != nil {
		return err
	}
	client := local.NewClient(local.ClientConfig{Socket: local.SocketPath(f.Path)})
	defer client.Close()
	cwd := a.Env.Getenv("CLAUDE_PROJECT_DIR")
	if cwd == "" {
		if cwd, err = os.Getwd(); err != nil {
			log.Debug("working folder unknown", "error", err)
		}
	}
	return hook.Run(cmd.Context(), hook.Config{
		In: a.Env.In, Out: a.Env.Out, Person: client, As: func(token string) op.Doer { return client.As(token) },
		Tokens: agent.Tokens(f.Path), Parents: hook.Parents, Cwd: cwd, Log: log,
	}, event)
}
