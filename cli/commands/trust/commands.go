package trust

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/node/feature/audit"
)

// app is one run of the program, as the commands here see it.
type app struct{ *run.App }

// Commands are those about who may be in a mesh and what they may do, made anew.
func Commands(in *run.App) []*cobra.Command {
	a := &app{in}
	return []*cobra.Command{
		a.promoteCommand(), a.demoteCommand(), a.kickCommand(), a.banCommand(), a.unbanCommand(),
		a.bansCommand(), a.voidCommand(), a.invitesCommand(), a.uninviteCommand(), a.auditCommand(),
		a.logCommand(), a.policyCommand(), a.grantCommand(), a.revokeCommand(), a.blockCommand(),
		a.unblockCommand(), a.grantsCommand(), a.verifyCommand(),
	}
}

// Documents are what the commands here print with --json, by command, where it is not
// just the answer of their operation.
func Documents() map[string][]any {
	return map[string][]any{
		"claudemesh log": {audit.Entry{}},
	}
}
