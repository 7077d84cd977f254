package run

import (
	"errors"
	"strings"

	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/node/op"
)

// Settings loads the settings; a wrong one is the user's to correct.
func (a *App) Settings(dir string, flags settings.Flags) (settings.Settings, error) {
	set, err := settings.Load(dir, a.Env.Getenv, flags)
	if err != nil {
		if errors.Is(err, settings.ErrFile) {
			return set, op.Errorf(op.Invalid, "%w", err).
				WithHint("correct the file, or move it away: without it all settings are the default")
		}
		return set, op.Errorf(op.Invalid, "%w", err).
			WithHint("correct it there; `claudemesh config --help` says what the settings take, %s holds them", settings.Path(dir))
	}
	return set, nil
}

// Debug tells whether logs are to say everything.
func (a *App) Debug() bool {
	d := a.Env.Getenv("CLAUDEMESH_DEBUG")
	return d == "1" || strings.EqualFold(d, "true")
}

// Loaded is the user's folder and the settings in it.
func (a *App) Loaded() (string, settings.Settings, error) {
	dir, err := a.Dir()
	if err != nil {
		return "", settings.Settings{}, err
	}
	set, err := a.Settings(dir, settings.Flags{})
	return dir, set, err
}
