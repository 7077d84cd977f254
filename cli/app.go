package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/commands/completions"
	"github.com/claudemesh/claudemesh/cli/commands/machine"
	"github.com/claudemesh/claudemesh/cli/commands/meshes"
	"github.com/claudemesh/claudemesh/cli/commands/messages"
	"github.com/claudemesh/claudemesh/cli/commands/nodes"
	"github.com/claudemesh/claudemesh/cli/commands/operations"
	"github.com/claudemesh/claudemesh/cli/commands/people"
	"github.com/claudemesh/claudemesh/cli/commands/session"
	"github.com/claudemesh/claudemesh/cli/commands/state"
	"github.com/claudemesh/claudemesh/cli/commands/trust"
	"github.com/claudemesh/claudemesh/cli/lang"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
)

// Env is what the process gives the program.
type Env = run.Env

// app is one run of the program, as the tree of commands sees it.
type app struct{ *run.App }

// Main runs the command that env.Args name and returns the exit status.
func Main(ctx context.Context, env Env) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{&run.App{
		Env: env, Skill: Skill,
		Term: term.New(term.Config{In: env.In, Out: env.Out, Err: env.Err, Getenv: env.Getenv, Say: lang.For(env.Getenv)}),
	}}
	// Known before parsing, since a parsing error is reported in the same way.
	a.Term.Document(slices.Contains(ownWords(env.Args), "--json"))
	root := a.root()
	root.SetArgs(launching(root, env.Args))
	root.SetIn(env.In)
	// What cobra prints by itself is nothing: help and errors are ours.
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	err := plain(env.Args)
	if err == nil && completions.Completing(env.Args) {
		// What a shell reads is written by cobra.
		root.SetOut(env.Out)
		err = completions.Complete(a.App, root)
	}
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		err = a.Term.Err()
	}
	if a.Client != nil {
		a.Client.Close()
	}
	a.notice(ctx)
	var said run.Verdict
	switch {
	case errors.As(err, &said):
		return int(said)
	case err != nil:
		return a.Fail(ctx, err)
	}
	return run.ExitOK
}

// plain refuses arguments that are no text: on their way they would be altered.
func plain(args []string) error {
	for i, word := range args {
		if !utf8.ValidString(word) {
			return run.Usage("type it as UTF-8 text", "argument %d is not valid UTF-8 text", i+1)
		}
	}
	return nil
}

// ownWords are the arguments before a "--".
func ownWords(args []string) []string {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i]
	}
	return args
}

// root builds the tree of commands. Nothing else is done before the one that was
// asked for runs.
func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "claudemesh",
		Short: "Connects coding-agent sessions and people into a mesh, with no server",
		Args:  cobra.ArbitraryArgs,
		RunE:  a.bare,

		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			if words := strings.Fields(cmd.CommandPath()); len(words) > 1 {
				a.Ran = words[1]
			}
			a.Term.Document(a.JSON)
			a.Term.Quiet(a.Quiet)
		},
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&a.Mesh, "mesh", "", "the mesh, by its `name` or a prefix of its id")
	flags.BoolVar(&a.JSON, "json", false, "print one JSON document")
	flags.BoolVarP(&a.Quiet, "quiet", "q", false, "no notes and no progress")
	flags.BoolVarP(&a.Yes, "yes", "y", false, "answer yes to every question")
	flags.StringVar(&a.Approve, "approve", "", "how much may be done: `mode` plan, read-only, write or yolo")
	flags.BoolP("help", "h", false, "explain the command")
	cmd.Flags().BoolP("version", "V", false, "print the version")
	cmd.Flags().String("as", "", "with a link: the name to join under")
	cmd.Flags().Lookup("as").Hidden = true
	cmd.SetFlagErrorFunc(flagError)
	cmd.SetHelpFunc(a.help)
	cmd.SetHelpCommand(a.helpCommand())
	cmd.AddCommand(a.commands()...)
	a.addResources(cmd)
	return cmd
}

// commands are those written by hand, made anew.
func (a *app) commands() []*cobra.Command {
	all := slices.Concat(
		meshes.Commands(a.App), trust.Commands(a.App), people.Commands(a.App), messages.Commands(a.App), state.Commands(a.App),
		nodes.Commands(a.App), machine.Commands(a.App), session.Commands(a.App), completions.Commands(a.App),
		operations.Commands(a.App),
	)
	for _, cmd := range all {
		if cmd.Name() == "status" {
			cmd.AddCommand(people.SetStatus(a.App))
		}
	}
	return all
}

// bare is the command without a known word: a link joins and launches, nothing at all
// launches, anything else is a mistake.
func (a *app) bare(cmd *cobra.Command, args []string) error {
	if on, _ := cmd.Flags().GetBool("version"); on {
		return a.version()
	}
	as, _ := cmd.Flags().GetString("as")
	switch {
	case len(args) == 0:
		return a.welcome(cmd)
	case len(args) == 1 && run.IsLink(args[0]):
		return a.joinAndLaunch(cmd, args[0], as)
	}
	return run.UnknownWord(cmd, args[0])
}

// versionDoc is the document of --version.
type versionDoc struct {
	Version string `json:"version"`
}

func (a *app) version() error {
	if a.Term.IsDocument() {
		return a.Term.JSON(versionDoc{a.Env.Version})
	}
	a.Term.Line("claudemesh v%s", a.Env.Version)
	return nil
}
