package cli

import (
	"strings"

	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/node/op"
)

// settings loads the settings; a wrong one is the user's to correct.
func (a *app) settings(dir string, flags settings.Flags) (settings.Settings, error) {
	set, err := settings.Load(dir, a.env.Getenv, flags)
	if err != nil {
		return set, op.Errorf(op.Invalid, "%w", err).
			WithHint("addresses are IP:PORT or multiaddrs, switches 0 or 1; `claudemesh config` shows the settings, %s holds them", settings.Path(dir))
	}
	return set, nil
}

func (a *app) debug() bool {
	d := a.env.Getenv("CLAUDEMESH_DEBUG")
	return d == "1" || strings.EqualFold(d, "true")
}

// loaded is the user's folder and the settings in it.
func (a *app) loaded() (string, settings.Settings, error) {
	dir, err := a.dir()
	if err != nil {
		return "", settings.Settings{}, err
	}
	set, err := a.settings(dir, settings.Flags{})
	return dir, set, err
}
