package screen

import (
	"context"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
)

// Config is what the interface works with. All fields are needed.
type Config struct {
	Walk  *flow.Walk
	World flow.World
	// In and Out are the terminal's ends.
	In, Out *os.File
	// Environ is the environment, as KEY=VALUE.
	Environ []string
	// Hue tells whether to use colour.
	Hue bool
}

// Run shows the flow until it is through (nil), a person gives up (flow.ErrCancelled) or
// ctx ends. It leaves the terminal's modes as it found them; whoever calls it resets the
// terminal all the same, in case it could not.
func Run(ctx context.Context, c Config) error {
	profile := colorprofile.ASCII
	if c.Hue {
		profile = colorprofile.Env(c.Environ)
	}
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &model{ctx: working, walk: c.Walk, world: c.World, hues: newPalette(), now: time.Now}
	p := tea.NewProgram(m,
		tea.WithContext(ctx), tea.WithInput(c.In), tea.WithOutput(mute{c.Out}), tea.WithEnvironment(c.Environ),
		tea.WithColorProfile(profile), tea.WithoutSignalHandler(),
	)
	_, err := p.Run()
	switch {
	case m.err != nil:
		return m.err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// mute is a terminal that is asked nothing: the questions that the library asks of its
// own accord are left out of what is written.
type mute struct{ *os.File }

// questions are what a terminal would answer on its input.
var questions = strings.NewReplacer(
	ansi.RequestModeSynchronizedOutput, "", ansi.RequestModeUnicodeCore, "", ansi.RequestKittyKeyboard, "",
)

// Write implements io.Writer.
func (m mute) Write(p []byte) (int, error) {
	n, err := m.File.WriteString(questions.Replace(string(p)))
	if err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}
