package machine

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
)

// app is one run of the program, as the commands here see it.
type app struct{ *run.App }

// Commands are those about this program on this machine, made anew.
func Commands(in *run.App) []*cobra.Command {
	a := &app{in}
	return []*cobra.Command{
		a.installCommand(), a.uninstallCommand(), a.urlHandlerCommand(), a.configCommand(),
		a.telemetryCommand(), a.doctorCommand(), a.upgradeCommand(),
	}
}

// Documents are what the commands here print with --json, by command, where it is not
// just the answer of their operation.
func Documents() map[string][]any {
	return map[string][]any{
		"claudemesh config":                {configDoc{}},
		"claudemesh config get":            {settings.Shown{}},
		"claudemesh config set":            {settings.Shown{}},
		"claudemesh config unset":          {settings.Shown{}},
		"claudemesh doctor":                {doctorDoc{}},
		"claudemesh install":               {installDoc{}},
		"claudemesh telemetry off":         {telemetryDoc{}},
		"claudemesh telemetry on":          {telemetryDoc{}},
		"claudemesh telemetry status":      {telemetryDoc{}},
		"claudemesh uninstall":             {installDoc{}},
		"claudemesh upgrade":               {upgradeDoc{}},
		"claudemesh url-handler":           {handlerDoc{}},
		"claudemesh url-handler install":   {handlerDoc{}},
		"claudemesh url-handler uninstall": {handlerDoc{}},
	}
}
