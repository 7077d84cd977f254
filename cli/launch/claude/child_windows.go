package claude

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

// Command is a program to be run in the foreground.
type Command struct {
	Path    string
	Args    []string // without its own name
	Environ []string
	// Files are its stdin, stdout and stderr.
	Files [3]*os.File
}

// Run runs the command and waits until it has ended; how, an *Ended tells. What a
// person's keys send reaches it by itself.
func (c Command) Run() error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Environ, c.Files[0], c.Files[1], c.Files[2]
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return &Ended{Status: exit.ExitCode()}
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNoClaude, err)
	case err != nil:
		return fmt.Errorf("start Claude Code: %w", err)
	}
	return nil
}

// Die does nothing: there no process ends by a signal.
func (e *Ended) Die() {}
