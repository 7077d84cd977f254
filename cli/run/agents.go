package run

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

// AgentSettings changes the settings of agents.
type AgentSettings struct {
	*setup.Setup

	// Program is how agents call this program, Copies where copies of their settings are.
	Program, Copies string
}

// Setup prepares changing the settings of agents.
func (a *App) Setup(hooks, statusLine bool) (AgentSettings, error) {
	dir, err := a.Dir()
	if err != nil {
		return AgentSettings{}, err
	}
	home, err := UserHome()
	if err != nil {
		return AgentSettings{}, err
	}
	return a.SetupIn(dir, home, hooks, statusLine), nil
}

// SetupIn is setup with copies in a claudemesh folder.
func (a *App) SetupIn(dir, home string, hooks, statusLine bool) AgentSettings {
	s := AgentSettings{Program: programPath(), Copies: filepath.Join(dir, copiesFolder)}
	s.Setup = setup.New(setup.Config{
		Home: home, Getenv: a.Env.Getenv, LookPath: exec.LookPath, Program: s.Program, Copies: s.Copies,
		Skill: a.Skill(), Hooks: hooks, StatusLine: statusLine, Now: time.Now,
	})
	return s
}

// UserHome is the user's home folder.
func UserHome() (string, error) {
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

// AgentNames are the agents whose settings can be changed, by the names that --agent takes.
func AgentNames() []string {
	var out []string
	for _, a := range setup.Agents() {
		out = append(out, a.Name)
	}
	return out
}
