package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/commands/operations"
	"github.com/claudemesh/claudemesh/cli/manual"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
)

// resources name the commands by resource and verb that are not called as their
// operation's id says, in most cases because the first word is a command of its own
// that takes words. Empty: there is none beside the short command.
var resources = map[string]string{
	"backup.save":    "",
	"grant.add":      "peer grant",
	"grant.block":    "peer block",
	"grant.list":     "peer grants",
	"grant.remove":   "peer revoke",
	"grant.unblock":  "peer unblock",
	"members.list":   "member list",
	"peers.list":     "peer list",
	"profile.get":    "",
	"session.whoami": "session whoami",
	"summary.set":    "session summary",
	"verify.show":    "peer verify",
	"visible.set":    "session visible",
}

// resourceHelp explains the commands that only hold those of one resource. One that is
// not here is explained by its name.
var resourceHelp = map[string]string{
	"member":  "Members of a mesh",
	"mesh":    "Meshes: made, joined, looked at, governed",
	"message": "Messages: sent, read, followed up",
	"peer":    "Peers: who is there, who may what, who is who",
	"session": "What others see of a session, and who you are",
}

// resource is the command of an operation by resource and verb, nil where it has none.
func resource(k op.Contract) []string {
	if k.Names == (op.Names{}) || k.Place != op.Here {
		return nil
	}
	if words, ok := resources[k.ID]; ok {
		return strings.Fields(words)
	}
	return strings.Split(k.ID, ".")
}

// Resource is the command of an operation by resource and verb, as it is typed behind
// the program's name; empty where it has none.
func Resource(k op.Contract) string { return strings.Join(resource(k), " ") }

// typedAs is the command that an operation names, without its arguments.
func typedAs(k op.Contract) []string {
	words := strings.Fields(k.Names.CLI)
	if i := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:1], "<[") }); i >= 0 {
		return words[:i]
	}
	return words
}

// addResources gives each operation that a person or an agent can use its command by
// resource and verb: where there is one written by hand, that one under another name,
// else one made from the request.
func (a *app) addResources(root *cobra.Command) {
	var again *cobra.Command
	for _, k := range node.Catalogue() {
		path := resource(k)
		if len(path) == 0 || find(root, path) != nil {
			continue
		}
		short := find(root, typedAs(k))
		if short == nil {
			resourceOf(a, root, path[0]).AddCommand(operations.Command(a.App, k, path[1]))
			continue
		}
		if again == nil {
			// Flags belong to one command each, so that all are made once more.
			again = &cobra.Command{Use: root.Name()}
			again.AddCommand(a.commands()...)
		}
		twin := find(again, typedAs(k))
		twin.Parent().RemoveCommand(twin)
		twin.RemoveCommand(twin.Commands()...)
		twin.Use = path[1] + strings.TrimPrefix(twin.Use, twin.Name())
		twin.Annotations = map[string]string{manual.Also: short.CommandPath(), manual.Listed: "no"}
		resourceOf(a, root, path[0]).AddCommand(twin)
		short.Annotations = map[string]string{manual.Also: twin.CommandPath()}
	}
}

// find is the command of exactly these words, nil if there is none.
func find(root *cobra.Command, path []string) *cobra.Command {
	if len(path) == 0 {
		return nil
	}
	cmd := root
	for _, word := range path {
		i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
		if i < 0 {
			return nil
		}
		cmd = cmd.Commands()[i]
	}
	return cmd
}

// resourceOf is the command that holds those of a resource. One that only holds
// others is made where there is none.
func resourceOf(a *app, root *cobra.Command, name string) *cobra.Command {
	if cmd := find(root, []string{name}); cmd != nil {
		return cmd
	}
	help := resourceHelp[name]
	if help == "" {
		help = "Commands about " + name
	}
	cmd := a.Holder(name, help, "")
	cmd.Annotations[manual.Listed] = "no"
	root.AddCommand(cmd)
	return cmd
}
