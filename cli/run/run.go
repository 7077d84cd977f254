package run

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/manual"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// Env is what the process gives the program.
type Env struct {
	// Args are the words behind the program's name.
	Args     []string
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	Environ  func() []string
	// Version is the program's own, without a "v" before it.
	Version string
	// ReleaseKey signs releases, as release.FormatKey writes it; empty: this build trusts
	// none.
	ReleaseKey string
}

// App is one run of the program. It is not safe for concurrent use.
type App struct {
	Env  Env
	Term *term.Term

	// Mesh, JSON, Quiet and Yes are the flags of every command, as they were typed.
	Mesh  string
	JSON  bool
	Quiet bool
	Yes   bool
	// Approve is how much may be done, a mode of the policy; empty: as the policy says.
	Approve string
	// Asks is the question that stands for the next request, where a person must say
	// yes to it.
	Asks op.Phrase

	Folder    string        // the user's folder, once it was looked for
	Client    *local.Client // the connection, once there is one
	knowsSkew bool          // the version warning was given
	Ran       string        // the first word of the command that runs

	// Skill writes what teaches an agent the commands, from their tree.
	Skill func() string
}

// Holder is a command that only holds others. long may be empty.
func (a *App) Holder(use, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ArbitraryArgs, RunE: a.group,
		Annotations: map[string]string{manual.Holds: "yes"},
	}
}

// group is the Run of a command that only holds others.
func (a *App) group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return a.Help(cmd)
	}
	return UnknownWord(cmd, args[0])
}

// Help is help that tells whether it could be written.
func (a *App) Help(cmd *cobra.Command) error {
	_ = cmd.Help() // why it could not be written is kept for Err
	return a.Term.Err()
}

// UnknownWord refuses a word that is no command of cmd and names the nearest.
func UnknownWord(cmd *cobra.Command, word string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
			names = append(names, c.Aliases...)
		}
	}
	near := Nearest(word, names)
	if near != "" {
		near = "`" + cmd.CommandPath() + " " + near + "`"
	}
	hint := OrNearest(near, op.Phrasef("run `%s --help` to see the commands", cmd.CommandPath()))
	return op.Errorf(op.Invalid, "there is no command %q", strings.TrimSpace(cmd.CommandPath()+" "+word)).WithHint("%s", hint)
}
