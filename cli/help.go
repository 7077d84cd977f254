package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/claudemesh/claudemesh/cli/manual"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/op"
)

// help explains a command: what it does, how it is typed, its commands and flags.
func (a *app) help(cmd *cobra.Command, _ []string) {
	if a.Term.IsDocument() {
		_ = a.Term.JSON(manual.Of(cmd)) // why not, if so, is kept for Err
		return
	}
	say := a.Term.Say
	about := say(cmd.Long)
	if cmd.Long == "" {
		about = say(cmd.Short) + "."
	}
	if !cmd.HasParent() {
		a.Term.Line("%s v%s", term.Bold("claudemesh"), a.Env.Version)
	}
	a.Term.Block(1, about)
	a.Term.Blank()
	a.Term.Line("%s", term.Bold(say("Usage")))
	a.Term.Line("  %s", term.Cyan(manual.Usage(cmd)))
	if !cmd.HasParent() {
		a.Term.Line("  %s", term.Cyan("claudemesh "+run.JoinPrefix+"…"))
	}
	if others := manual.Others(cmd); len(others) > 0 {
		a.Term.Line("  %s", term.Dim(say("also:")+" "+strings.Join(others, ", ")))
	}
	a.helpCommands(cmd)
	a.helpFlags(say("Flags"), cmd.NonInheritedFlags())
	if cmd.HasParent() {
		a.helpFlags(say("Flags of every command"), cmd.InheritedFlags())
	}
	if cmd.Example != "" {
		a.Term.Blank()
		a.Term.Line("%s", term.Bold(say("Examples")))
		a.Term.Block(2, cmd.Example)
	}
}

func (a *app) helpCommands(cmd *cobra.Command) {
	width := 0
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			width = max(width, len(c.Use))
		}
	}
	if width == 0 {
		return
	}
	a.Term.Blank()
	a.Term.Line("%s", term.Bold(a.Term.Say("Commands")))
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			a.Term.Line("  %s  %s", term.Cyan(c.Use).Pad(width), a.Term.Say(c.Short))
		}
	}
}

func (a *app) helpFlags(title string, flags *pflag.FlagSet) {
	var names []string
	var texts []string
	width := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		said := *f
		said.Usage = a.Term.Say(f.Usage)
		value, text := pflag.UnquoteUsage(&said)
		if value != "" {
			name += " <" + value + ">"
		}
		names, texts = append(names, name), append(texts, text)
		width = max(width, len(name))
	})
	if len(names) == 0 {
		return
	}
	a.Term.Blank()
	a.Term.Line("%s", term.Bold(title))
	for i := range names {
		a.Term.Line("  %s  %s", term.Cyan(names[i]).Pad(width), texts[i])
	}
}

// helpCommand is `claudemesh help [command]`.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "help [command]",
		Short:  "Explain a command",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			found, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return run.UnknownWord(found, rest[0])
			}
			return a.Help(found)
		},
	}
}

// flagError refuses a flag that was typed wrong and names the nearest.
func flagError(cmd *cobra.Command, err error) error {
	see := op.Phrasef("run `%s --help` to see its flags", cmd.CommandPath())
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		return op.Errorf(op.Invalid, "--%s cannot be %q", value.GetFlag().Name, value.GetValue()).WithHint("%s", see)
	}
	if !errors.As(err, &unknown) {
		return op.Errorf(op.Invalid, "%w", err).WithHint("%s", see)
	}
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		return op.Errorf(op.Invalid, "there is no flag -%s", unknown.GetSpecifiedName()).WithHint("%s", see)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := run.Nearest(unknown.GetSpecifiedName(), names)
	if near != "" {
		near = "--" + near
	}
	return op.Errorf(op.Invalid, "there is no flag --%s", unknown.GetSpecifiedName()).WithHint("%s", run.OrNearest(near, see))
}
