package meshes

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/scheme"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
)

// openLinkCommand is what a desktop calls with a link of a web page. No flag means
// anything here, since whoever made the link may have put it there; and it always asks.
func (a *app) openLinkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "open-link <link>", Short: "Ask whether to join by a link of a web page", Hidden: true,
		DisableFlagParsing: true,
		Args:               cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.openLink(cmd.Context(), args)
			if !a.Term.Interactive() {
				return err
			}
			// The terminal was opened for this alone and closes with it.
			status := run.ExitOK
			if err != nil {
				status = a.Fail(cmd.Context(), err)
			}
			_, _ = a.Term.Ask(cmd.Context(), "Press Return to close.")
			return run.Verdict(status)
		},
	}
}

func (a *app) openLink(ctx context.Context, args []string) error {
	if len(args) != 1 || scheme.Check(args[0]) != nil {
		return op.Errorf(op.Invalid, "this is no link that can be opened").
			WithHint("if somebody gave it to you, type `claudemesh join` and the link yourself")
	}
	if !a.Term.Interactive() {
		return op.Errorf(op.Denied, "nobody can be asked whether to join").WithHint("type `claudemesh join` and the link in a terminal")
	}
	a.Term.Line("A web page or another program asks you to join a mesh by this link:")
	a.Term.Line("  %s", term.Cyan(args[0]))
	a.Term.Line("Its members will see when you are there, and can send messages to your agents.")
	i, err := a.Term.Choose(ctx, "Do you know who sent it, and join?", []string{"no", "yes"})
	if err != nil || i == 0 {
		return run.NothingDone()
	}
	return a.join(ctx, args[0], "", "")
}
