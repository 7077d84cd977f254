package session

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/cli/doctor"
	"github.com/claudemesh/claudemesh/cli/doctor/probe"
	"github.com/claudemesh/claudemesh/cli/launch"
	"github.com/claudemesh/claudemesh/cli/launch/claude"
	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
)

// launchFlags are the flags of launch that are not those of every command.
type launchFlags struct {
	name, role, groups, mode, join, system, resume string

	goOn, unasked, nobody, plain bool
}

// LaunchWord is the command that a first word which is a flag stands for.
const LaunchWord = "launch"

func (a *app) launchCommand() *cobra.Command {
	var f launchFlags
	cmd := &cobra.Command{
		Use: LaunchWord + " [mesh]", Aliases: []string{"connect"},
		Short: "Start Claude Code on a mesh",
		Long: "Start Claude Code on a mesh, with messages that enter the session as they come. What is\n" +
			"not said is asked, with what was chosen last as the answer that Return gives. Without a\n" +
			"terminal, with CI set, or with --yes, --quiet or --non-interactive nobody is asked: what is\n" +
			"missing then is an error that names the flag. Words behind -- go to Claude Code as they are.\n" +
			"`claudemesh` alone does the same, and so does `claudemesh --resume <id>`.",
		Example: "claudemesh launch\n" +
			"claudemesh launch first-light --name ana --role reviewer --groups eng:lead,qa\n" +
			"claudemesh launch --resume 5f0c… -- --model opus",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var rest []string
			if i := cmd.ArgsLenAtDash(); i >= 0 {
				args, rest = args[:i], args[i:]
			}
			if len(args) > 1 {
				return run.Usage("words for Claude Code go behind --", "launch takes one mesh, not %d words", len(args))
			}
			if len(args) == 1 {
				if err := a.positional(cmd, args[0], &f); err != nil {
					return err
				}
			}
			return a.launch(cmd, f, rest)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *launchFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "what others call the session by, a `name` (default: your user name)")
	flags.StringVar(&f.role, "role", "", "what it is there, `free text`")
	flags.StringVar(&f.groups, "groups", "", "groups it starts in: a `list` as in eng:lead,qa")
	flags.StringVar(&f.join, "join", "", "first join a mesh by this `link` or code")
	flags.StringVar(&f.mode, "message-mode", "", "how messages reach it: push, inbox or off (default as your profile and settings say)")
	flags.StringVar(&f.system, "system-prompt", "", "Claude Code's system prompt, a `text`")
	flags.StringVarP(&f.resume, "resume", "r", "", "go on with the conversation of this `id`")
	flags.BoolVarP(&f.goOn, "continue", "c", false, "go on with the newest conversation of this folder")
	flags.BoolVar(&f.unasked, "dangerously-skip-permissions", false, "let Claude Code act without asking; --yes does not imply it")
	flags.BoolVar(&f.nobody, "non-interactive", false, "ask nothing: fail where an answer is missing")
	flags.BoolVar(&f.plain, "plain", false, "ask line by line, as for a screen reader")
}

// positional takes the one word: a mesh, or something to join by.
func (a *app) positional(cmd *cobra.Command, word string, f *launchFlags) error {
	switch {
	case run.IsLink(word):
		if f.join != "" {
			return run.Usage("give one of them", "there are two invites, --join and %q", word)
		}
		f.join = word
	case cmd.CalledAs() == "connect" && word == "telegram":
		return op.Errorf(op.Unavailable, "this build has no bridge to Telegram").
			WithHint("for a mesh of that name: `claudemesh launch telegram`")
	case a.Mesh != "" && a.Mesh != word:
		return run.Usage("give one of them", "there are two meshes, --mesh %s and %q", a.Mesh, word)
	default:
		a.Mesh = word
	}
	return nil
}

// launch starts Claude Code.
func (a *app) launch(cmd *cobra.Command, f launchFlags, rest []string) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
	defer stop()
	if err := f.check(cmd, a.Mesh); err != nil {
		return err
	}
	program, err := claude.Find(a.Env.Getenv)
	if err != nil {
		return noClaude(err)
	}
	dir, err := a.Dir()
	if err != nil {
		return err
	}
	set, err := a.Settings(dir, settings.Flags{})
	if err != nil {
		return err
	}
	way := a.way(f)
	s, err := a.beforehand(cmd, f, set, way)
	if err != nil {
		return err
	}
	s.Program = program
	w := &world{app: a, approved: way != launch.Nobody, newer: func(ctx context.Context) string { return a.Newer(ctx, dir, set) }}
	if way == launch.Screens {
		a.Term.Quiet(true) // nothing is printed over a screen
	}
	err = launch.Run(ctx, launch.Config{
		Term: a.Term, World: w, Flow: flow.Launch(func(word string) bool { return run.IsLink(run.AsLink(word)) }), Session: s, Way: way,
		Plan:   claude.Plan{Resume: f.resume, Continue: f.goOn, Unasked: f.unasked, System: f.system, Rest: rest},
		Claude: program, Servers: a.ownServer(), Dir: dir, Tmp: os.TempDir(), Environ: a.Env.Environ(),
		Files: a.files(), Banner: !a.Quiet && !a.Term.IsDocument(), Alive: daemon.Alive, Used: inSession, Log: slog.New(slog.DiscardHandler),
		Remember: func(s flow.Session, id string) { a.rememberLaunch(s, run.First(id, f.resume)) },
		Started:  func() { a.Term.Quiet(a.Quiet) },
	})
	a.Term.Quiet(a.Quiet)
	return a.launchEnded(ctx, err, s)
}

// inSession tells whether a process runs in the session that has a folder.
func inSession(folder string) bool {
	return slices.ContainsFunc(doctor.Machine().Processes(), func(p probe.Process) bool { return p.Getenv(agent.EnvFolder) == folder })
}

// launchEnded makes of the end of a launch what the command line tells.
func (a *app) launchEnded(ctx context.Context, err error, s *flow.Session) error {
	var ended *claude.Ended
	switch {
	case errors.As(err, &ended):
		ended.Die()
		return run.Verdict(ended.Status)
	case errors.Is(err, claude.ErrNoClaude):
		return noClaude(err)
	case launch.Cancelled(err) || ctx.Err() != nil && errors.Is(err, context.Canceled):
		if s.Mesh != "" && (s.NewMesh != "" || s.Link != "") {
			a.Term.Note("%s You are in mesh %s all the same.", term.To, s.Mesh)
		}
		return op.Errorf(run.Cancelled, "cancelled: Claude Code was not started").WithHint("`claudemesh launch` begins anew")
	}
	return err
}

// noClaude is the failure of a machine without Claude Code.
func noClaude(err error) error {
	return op.Errorf(run.ClaudeMissing, "%w", err).
		WithHint("install it (https://claude.com/claude-code), or name it with %s", claude.EnvClaude)
}

// check refuses flags that cannot hold together.
func (f launchFlags) check(cmd *cobra.Command, mesh string) error {
	if f.goOn && f.resume != "" {
		return run.Usage("give one of them", "--resume and --continue are two ways to go on")
	}
	if cmd.Flags().Changed("resume") && f.resume == "" {
		return run.Usage("`claude --resume` lists conversations", "--resume needs the id of a conversation")
	}
	if f.join != "" && mesh != "" {
		return run.Usage("give one of them", "--join leads to a mesh of its own, not to %s", mesh)
	}
	if f.join != "" && !run.IsLink(run.AsLink(f.join)) {
		return op.Errorf(op.Invalid, "--join %q is no invite", f.join).WithHint("a link begins with %s, a code is a number and two words", run.JoinPrefix)
	}
	return nil
}

// Asks tells whether launch would have somebody to ask.
func Asks(in *run.App) bool { return (&app{in}).way(launchFlags{}) != launch.Nobody }

// way is how questions are asked.
func (a *app) way(f launchFlags) launch.Way {
	_, _, terminal := a.Term.Terminal()
	switch {
	case f.nobody || a.Yes || a.Quiet || !terminal || !a.Term.Interactive() || isSet(a.Env.Getenv("CI")):
		return launch.Nobody
	case f.plain || a.Env.Getenv("TERM") == "dumb" || isSet(a.Env.Getenv(envPlain)) || isSet(a.Env.Getenv("ACCESSIBLE")):
		return launch.Lines
	}
	return launch.Screens
}

// envPlain, set to 1, has questions asked line by line.
const envPlain = "CLAUDEMESH_PLAIN"

// isSet tells whether a switch in the environment is on.
func isSet(value string) bool {
	return value != "" && value != "0" && !strings.EqualFold(value, "false")
}

// files are the streams of this process, as another program inherits them.
func (a *app) files() [3]*os.File {
	in, _ := a.Env.In.(*os.File)
	out, _ := a.Env.Out.(*os.File)
	err, _ := a.Env.Err.(*os.File)
	return [3]*os.File{in, out, err}
}

// ownServer is our own program if Claude Code is not set up with it.
func (a *app) ownServer() string {
	s, err := a.Setup(false, false)
	if err != nil || s.Has("claude") {
		return ""
	}
	return s.Program
}

// workFolder is the folder that Claude Code will work in, as a person writes it.
func workFolder() string {
	cwd, err := os.Getwd()
	if err != nil {
		return "."
	}
	home, err := os.UserHomeDir()
	if err != nil || home == "/" {
		return cwd
	}
	if rest, ok := strings.CutPrefix(cwd, home); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		return filepath.Join("~", rest)
	}
	return cwd
}
