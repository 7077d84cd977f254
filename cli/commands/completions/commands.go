package completions

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
)

// app is one run of the program, as the commands here see it.
type app struct{ *run.App }

// Commands are those about completing in a shell, made anew.
func Commands(in *run.App) []*cobra.Command {
	a := &app{in}
	return []*cobra.Command{a.completionsCommand()}
}

// Documents are what the commands here print with --json, by command, where it is not
// just the answer of their operation.
func Documents() map[string][]any {
	return map[string][]any{
		"claudemesh completions": {scriptDoc{}},
	}
}
