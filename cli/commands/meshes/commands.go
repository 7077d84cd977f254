package meshes

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/node/mesh"
)

// app is one run of the program, as the commands here see it.
type app struct{ *run.App }

// Commands are those about which meshes one is in, and what they are like, made anew.
func Commands(in *run.App) []*cobra.Command {
	a := &app{in}
	return []*cobra.Command{
		a.newCommand(), a.inviteCommand(), a.joinCommand(), a.listCommand(), a.renameCommand(),
		a.leaveCommand(), a.deleteCommand(), a.membersCommand(), a.infoCommand(), a.statsCommand(),
		a.pingCommand(), a.openLinkCommand(),
	}
}

// Documents are what the commands here print with --json, by command, where it is not
// just the answer of their operation.
func Documents() map[string][]any {
	return map[string][]any{
		"claudemesh delete": {deleteDoc{}},
		"claudemesh invite": {inviteDoc{}, mesh.CodeResponse{}},
		"claudemesh list":   {listDoc{}},
		"claudemesh new":    {newDoc{}},
	}
}
