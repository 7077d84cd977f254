package manual

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Annotations of commands.
const (
	// Also says how else a command can be typed.
	Also = "also"
	// Listed, if "no", says that lists of all commands need not name it: it is the other
	// name of one that they do, or holds such.
	Listed = "listed"
	// Holds says that a command does nothing but hold others.
	Holds = "holds"
)

// Command is a command as it is explained.
type Command struct {
	Command string `json:"command"`
	Usage   string `json:"usage"`
	// Also are the other ways to type it.
	Also     []string `json:"also,omitempty"`
	Short    string   `json:"short"`
	About    string   `json:"about,omitempty"`
	Examples []string `json:"examples,omitempty"`
	// Commands are those that it holds.
	Commands []Sub `json:"commands,omitempty"`
	// Flags are its own, Global those of every command.
	Flags  []Flag `json:"flags,omitempty"`
	Global []Flag `json:"global_flags,omitempty"`
}

// Sub is a command in the list of the one that holds it.
type Sub struct {
	Command string `json:"command"`
	Usage   string `json:"usage"`
	Short   string `json:"short"`
}

// Flag is a flag as it is explained.
type Flag struct {
	Name      string `json:"name"`
	Shorthand string `json:"shorthand,omitempty"`
	// Value is what it takes; empty for a switch.
	Value   string `json:"value,omitempty"`
	Default string `json:"default,omitempty"`
	About   string `json:"about"`
}

// Typed is the flag as it is typed.
func (f Flag) Typed() string {
	out := "--" + f.Name
	if f.Shorthand != "" {
		out = "-" + f.Shorthand + ", " + out
	}
	if f.Value != "" {
		out += " <" + f.Value + ">"
	}
	return out
}

// Of describes a command.
func Of(cmd *cobra.Command) Command {
	c := Command{
		Command: cmd.CommandPath(), Usage: Usage(cmd), Also: Others(cmd), Short: cmd.Short, About: cmd.Long,
		Flags: flagsOf(cmd.NonInheritedFlags()),
	}
	for line := range strings.Lines(cmd.Example) {
		c.Examples = append(c.Examples, strings.TrimRight(line, "\n"))
	}
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			c.Commands = append(c.Commands, Sub{sub.CommandPath(), Usage(sub), sub.Short})
		}
	}
	if cmd.HasParent() {
		c.Global = flagsOf(cmd.InheritedFlags())
	}
	return c
}

// Usage is how a command is typed.
func Usage(cmd *cobra.Command) string {
	if !cmd.HasParent() || cmd.Annotations[Holds] != "" {
		return cmd.CommandPath() + " <command>"
	}
	return cmd.UseLine()
}

// Others are the ways to type a command beside its own.
func Others(cmd *cobra.Command) []string {
	var out []string
	for _, name := range cmd.Aliases {
		out = append(out, strings.TrimSuffix(cmd.CommandPath(), cmd.Name())+name)
	}
	if twin := cmd.Annotations[Also]; twin != "" {
		out = append(out, twin)
	}
	return out
}

func flagsOf(set *pflag.FlagSet) (out []Flag) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, about := pflag.UnquoteUsage(f)
		one := Flag{Name: f.Name, Shorthand: f.Shorthand, Value: value, About: about}
		if f.DefValue != "[]" && f.DefValue != "false" && !strings.Contains(about, "default") {
			one.Default = f.DefValue
		}
		out = append(out, one)
	})
	return out
}

// All lists a command and those below it that lists name, in order.
func All(cmd *cobra.Command) []*cobra.Command {
	if cmd.Hidden {
		return nil
	}
	var out []*cobra.Command
	if cmd.Annotations[Listed] != "no" {
		out = append(out, cmd)
	}
	for _, sub := range cmd.Commands() {
		out = append(out, All(sub)...)
	}
	return out
}
