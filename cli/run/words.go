package run

import (
	"strings"

	"github.com/spf13/cobra"
)

// Words checks how many arguments a command got: least and most (-1: any number).
func Words(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "type `" + cmd.CommandPath() + strings.TrimPrefix(cmd.Use, cmd.Name()) + "`"
		if cmd.Example != "" {
			first, _, _ := strings.Cut(cmd.Example, "\n")
			hint += ", as in `" + first + "`"
		}
		switch {
		case len(args) < least:
			return Usage(hint, "`%s` needs more than that", cmd.CommandPath())
		case most >= 0 && len(args) > most:
			return Usage(hint, "`%s` does not know what to do with %q", cmd.CommandPath(), args[most])
		}
		return nil
	}
}

// ValuesOf is the annotation of a flag that lists its values.
const ValuesOf = "claudemesh_values"
