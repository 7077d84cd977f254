package machine

import (
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/term"
)

// telemetryDoc says whether figures about use may be sent, and what is.
type telemetryDoc struct {
	Enabled bool   `json:"enabled"`
	Source  string `json:"source"`
	// Sends lists what this version sends.
	Sends []string `json:"sends"`
}

// telemetryCommand keeps the user's word about figures of use. There are none.
func (a *app) telemetryCommand() *cobra.Command {
	cmd := a.Holder("telemetry", "Whether figures about use may be sent: off unless you switch it on",
		"Whether figures about use may be sent: off unless you switch it on. This version sends\n"+
			"nothing, on or off; the switch is kept for versions that might.")
	for _, one := range []struct{ word, short, value string }{
		{"on", "Let later versions send figures about use", "on"},
		{"off", "Let no version send any", "off"},
		{"status", "Say which holds, and what is sent", ""},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: one.word, Short: one.short, Args: run.Words(0, 0),
			RunE: func(*cobra.Command, []string) error { return a.telemetry(one.value) },
		})
	}
	return cmd
}

// telemetry keeps a value unless it is empty, and says what holds.
func (a *app) telemetry(value string) error {
	if value != "" {
		dir, err := a.Dir()
		if err != nil {
			return err
		}
		key, err := settingKey(settings.KeyTelemetry)
		if err != nil {
			return err
		}
		if err := a.putSetting(key, dir, value); err != nil {
			return err
		}
	}
	_, set, err := a.Loaded()
	if err != nil {
		return err
	}
	doc := telemetryDoc{Enabled: set.Telemetry.Value, Source: set.Telemetry.Source, Sends: []string{}}
	return run.Show(a.App, doc, func(d telemetryDoc) {
		a.Term.Line("%s Telemetry is %s %s.", term.Green(term.OK), run.OnOff(d.Enabled), term.Dim("("+d.Source+")"))
		a.Term.Line("  This version sends nothing, on or off.")
	})
}
