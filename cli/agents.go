package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/cli/setup"
	"github.com/claudemesh/claudemesh/node/op"
)

// copiesFolder is where copies of agents' settings are kept, in the claudemesh folder.
const copiesFolder = "setup"

// agentSettings changes the settings of agents.
type agentSettings struct {
	*setup.Setup

	// Program is how agents call this program, Copies where copies of their settings are.
	Program, Copies string
}

// setup prepares changing the settings of agents.
func (a *app) setup(hooks, statusLine bool) (agentSettings, error) {
	dir, err := a.dir()
	if err != nil {
		return agentSettings{}, err
	}
	home, err := userHome()
	if err != nil {
		return agentSettings{}, err
	}
	return a.setupIn(dir, home, hooks, statusLine), nil
}

// setupIn is setup with copies in a claudemesh folder.
func (a *app) setupIn(dir, home string, hooks, statusLine bool) agentSettings {
	s := agentSettings{Program: programPath(), Copies: filepath.Join(dir, copiesFolder)}
	s.Setup = setup.New(setup.Config{
		Home: home, Getenv: a.env.Getenv, LookPath: exec.LookPath, Program: s.Program, Copies: s.Copies,
		Skill: a.skill(), Hooks: hooks, StatusLine: statusLine, Now: time.Now,
	})
	return s
}

// userHome is the user's home folder.
func userHome() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", op.Errorf(op.Invalid, "your home folder is not known: %w", err).WithHint("set HOME")
	}
	return home, nil
}

// programPath is how agents call this program: by name where that finds it, else by its
// path.
func programPath() string {
	self, err := os.Executable()
	if err != nil {
		return setup.Name
	}
	found, err := exec.LookPath(setup.Name)
	if err == nil {
		a, errA := os.Stat(found)
		b, errB := os.Stat(self)
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return setup.Name
		}
	}
	return self
}

func agentNames() []string {
	var out []string
	for _, a := range setup.Agents() {
		out = append(out, a.Name)
	}
	return out
}
