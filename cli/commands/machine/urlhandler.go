package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/scheme"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
)

// handlerDoc says whether links open with this program.
type handlerDoc struct {
	Installed bool `json:"installed"`
	scheme.Done
}

func (a *app) urlHandlerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "url-handler",
		Short: "Have claudemesh:// links of web pages open in a terminal, which asks",
		Long: "Have claudemesh:// links of web pages open in a terminal, which shows the link and asks\n" +
			"before it joins. Alone it is the same as with install. Only your own account is changed.",
		Example: "claudemesh url-handler install\nclaudemesh url-handler uninstall",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return run.UnknownWord(cmd, args[0])
			}
			return a.urlHandler(cmd.Context(), true)
		},
	}
	for _, one := range []struct {
		word, short string
		install     bool
	}{
		{"install", "Have this program open such links", true},
		{"uninstall", "Take that back", false},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: one.word, Short: one.short, Args: run.Words(0, 0),
			RunE: func(cmd *cobra.Command, _ []string) error { return a.urlHandler(cmd.Context(), one.install) },
		})
	}
	return cmd
}

func (a *app) urlHandler(ctx context.Context, install bool) error {
	cfg, err := a.desktop()
	if err != nil {
		return err
	}
	do := scheme.Uninstall
	if install {
		do = scheme.Install
	}
	done, err := do(ctx, cfg)
	switch {
	case errors.Is(err, scheme.ErrPath):
		return op.Errorf(op.Invalid, "%w", err).WithHint("move claudemesh to a folder with a plain name")
	case err != nil:
		return op.Errorf(op.Unavailable, "links were not registered: %w", err).WithHint("`claudemesh join <link>` in a terminal does the same")
	}
	for _, n := range done.Notes {
		a.Term.Warn("%s", n)
	}
	return run.Show(a.App, handlerDoc{install, done}, func(handlerDoc) {
		switch {
		case install && done.Changed:
			a.Term.Line("%s claudemesh:// links open in a terminal, which asks before it joins.", term.Green(term.OK))
		case install:
			a.Term.Line("%s claudemesh:// links open in a terminal already.", term.Green(term.OK))
		case done.Changed:
			a.Term.Line("%s claudemesh:// links do not open with claudemesh any more.", term.Green(term.OK))
		default:
			a.Term.Line("%s claudemesh:// links did not open with claudemesh.", term.Green(term.OK))
		}
		a.Term.Line("  %s", term.Dim(done.Where))
	})
}

// toolLimit is how long a program of the desktop may take.
const toolLimit = 30 * time.Second

// desktop is the desktop of this user.
func (a *app) desktop() (scheme.Config, error) {
	exe, err := os.Executable()
	if err != nil {
		return scheme.Config{}, op.Errorf(op.Unavailable, "this program cannot be found on the disk: %w", err).WithHint("start it by its full path")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return scheme.Config{}, op.Errorf(op.Invalid, "your home folder is not known").WithHint("set HOME")
	}
	data := a.Env.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(home, ".local", "share")
	}
	run := func(ctx context.Context, name string, args ...string) error {
		ctx, cancel := context.WithTimeout(ctx, toolLimit)
		defer cancel()
		return exec.CommandContext(ctx, name, args...).Run()
	}
	return scheme.Config{GOOS: runtime.GOOS, Exe: exe, Home: home, Data: data, Run: run}, nil
}
