package nodes

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
)

// app is one run of the program, as the commands here see it.
type app struct{ *run.App }

// Commands are those about the node and what it keeps, made anew.
func Commands(in *run.App) []*cobra.Command {
	a := &app{in}
	return []*cobra.Command{a.nodeCommand(), a.backupCommand(), a.restoreCommand(), a.statusCommand()}
}

// Documents are what the commands here print with --json, by command, where it is not
// just the answer of their operation.
func Documents() map[string][]any {
	return map[string][]any{
		"claudemesh node down":   {nodeDoc{}},
		"claudemesh node logs":   {nodeDoc{}},
		"claudemesh node status": {nodeDoc{}},
		"claudemesh node up":     {nodeDoc{}},
		"claudemesh restore":     {restored{}},
		"claudemesh status":      {statusDoc{}},
	}
}
