package run

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/node/op"
)

// Words checks how many arguments a command got: least and most (-1: any number).
func Words(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		whole := cmd.CommandPath() + strings.TrimPrefix(cmd.Use, cmd.Name())
		hint := op.Phrasef("type `%s`", whole)
		if cmd.Example != "" {
			first, _, _ := strings.Cut(cmd.Example, "\n")
			hint = op.Phrasef("type `%s`, as in `%s`", whole, first)
		}
		switch {
		case len(args) < least:
			return op.Errorf(op.Invalid, "`%s` needs more than that", cmd.CommandPath()).WithHint("%s", hint)
		case least > 0 && args[0] == "":
			return op.Errorf(op.Invalid, "the first word for `%s` is empty", cmd.CommandPath()).WithHint("%s", hint)
		case most >= 0 && len(args) > most:
			return op.Errorf(op.Invalid, "`%s` does not know what to do with %q", cmd.CommandPath(), args[most]).WithHint("%s", hint)
		}
		return nil
	}
}

// ValuesOf is the annotation of a flag that lists its values.
const ValuesOf = "claudemesh_values"
