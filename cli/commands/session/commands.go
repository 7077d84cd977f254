package session

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
)

// app is one run of the program, as the commands here see it.
type app struct{ *run.App }

// Commands are those around an agent session, made anew.
func Commands(in *run.App) []*cobra.Command {
	a := &app{in}
	return []*cobra.Command{a.launchCommand(), a.mcpCommand(), a.hookCommand(), a.statusLineCommand()}
}

// Documents are what the commands here print with --json, by command, where it is not
// just the answer of their operation.
func Documents() map[string][]any {
	return map[string][]any{
		"claudemesh status-line": {lineDoc{}},
	}
}
