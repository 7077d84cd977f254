package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/claudemesh/claudemesh/cli/commands/operations"
	"github.com/claudemesh/claudemesh/cli/manual"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
)

// Each tool is also a command by resource and verb, and so is each operation with a
// command of its own, unless the table says that there is none.
func TestEveryToolIsACommandByResourceAndVerb(t *testing.T) {
	root := Commands()
	known := map[string]bool{}
	for _, k := range node.Catalogue() {
		known[k.ID] = true
		path := resource(k)
		if k.Names.Tool == "" && (len(path) == 0 || k.Names == (op.Names{})) {
			continue
		}
		if len(path) != 2 {
			t.Errorf("%s: its command is %q, not a resource and a verb", k.ID, path)
			continue
		}
		cmd := find(root, path)
		if cmd == nil {
			t.Errorf("%s: there is no command %q", k.ID, path)
			continue
		}
		if short := find(root, typedAs(k)); short != nil && short != cmd {
			sameCommand(t, short, cmd)
		}
	}
	for id := range resources {
		if !known[id] {
			t.Errorf("resources has %s, which is no operation", id)
		}
	}
}

// sameCommand compares what two names of one command do.
func sameCommand(t *testing.T, short, twin *cobra.Command) {
	t.Helper()
	words := func(c *cobra.Command) string { return strings.TrimPrefix(c.Use, c.Name()) }
	flags := func(c *cobra.Command) (out []string) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { out = append(out, f.Name+f.Shorthand+f.DefValue+f.Usage) })
		return out
	}
	if words(short) != words(twin) || short.Short != twin.Short || short.Long != twin.Long || !slices.Equal(flags(short), flags(twin)) {
		t.Errorf("%s and %s differ", short.CommandPath(), twin.CommandPath())
	}
	if short.Annotations[manual.Also] != twin.CommandPath() || twin.Annotations[manual.Also] != short.CommandPath() {
		t.Errorf("%s and %s do not name each other", short.CommandPath(), twin.CommandPath())
	}
}

// A command that takes words holds no others: their names could not be told from words.
func TestNoWordIsTakenForACommand(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.HasParent() && c.HasSubCommands() && c.Use != c.Name() {
			t.Errorf("%s takes words and holds commands", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(Commands())
}

// An operation without a command of its own could have one: its request can be typed.
func TestEveryRequestCanBeTyped(t *testing.T) {
	for _, k := range node.Catalogue() {
		root := &cobra.Command{Use: "claudemesh"}
		cmd := operations.Command(described().App, k, "verb")
		root.AddCommand(cmd)
		if cmd.Args == nil {
			t.Errorf("%s: no command can be made of it: %v", k.ID, cmd.RunE(cmd, nil))
		}
		for _, global := range []string{"mesh", "json", "quiet", "yes", "approve", "help"} {
			if k.Names.Tool != "" && cmd.LocalFlags().Lookup(global) != nil {
				t.Errorf("%s: its request has %q, which is a flag of every command", k.ID, global)
			}
		}
		if n := len(cmd.Short); n == 0 || n > 72 {
			t.Errorf("%s: %q", k.ID, cmd.Short)
		}
	}
}
