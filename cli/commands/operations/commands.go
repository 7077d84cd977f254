package operations

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
)

// app is one run of the program, as the commands here see it.
type app struct{ *run.App }

// Commands are those that ask for any operation, made anew.
func Commands(in *run.App) []*cobra.Command {
	a := &app{in}
	return []*cobra.Command{a.callCommand()}
}
