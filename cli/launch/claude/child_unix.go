//go:build unix

package claude

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

// Command is a program to be run in the foreground.
type Command struct {
	Path    string
	Args    []string // without its own name
	Environ []string
	// Files are its stdin, stdout and stderr.
	Files [3]*os.File
}

// Run runs the command and waits until it has ended; how, an *Ended tells. Signals that
// a person's keys send reach it by themselves; those that are meant to end this process
// are passed on. When it stops itself, so does this process, and the shell is back.
func (c Command) Run() error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	p, err := os.StartProcess(c.Path, append([]string{c.Path}, c.Args...), &os.ProcAttr{Env: c.Environ, Files: c.Files[:]})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNoClaude, err)
	}
	if err != nil {
		return fmt.Errorf("start Claude Code: %w", err)
	}
	ended := make(chan struct{})
	passing := make(chan struct{})
	go func() {
		defer close(passing)
		pass(signals, ended, p.Pid)
	}()
	status, err := wait(p.Pid)
	close(ended)
	<-passing
	_ = p.Release() // it has been waited for
	switch {
	case err != nil:
		return fmt.Errorf("wait for Claude Code: %w", err)
	case status.Signaled():
		return &Ended{Status: 128 + int(status.Signal()), Signal: status.Signal()}
	case status.ExitStatus() != 0:
		return &Ended{Status: status.ExitStatus()}
	}
	return nil
}

// pass passes on what is meant to end the session, until that has ended.
func pass(signals <-chan os.Signal, ended <-chan struct{}, pid int) {
	for {
		select {
		case s := <-signals:
			if n, ok := s.(syscall.Signal); ok && (n == syscall.SIGTERM || n == syscall.SIGHUP) {
				_ = syscall.Kill(pid, n) // gone already: as wished
			}
		case <-ended:
			return
		}
	}
}

// wait waits until a child has ended.
func wait(pid int) (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return status, err
		case status.Stopped():
			// The shell that wakes us wakes the whole group.
			if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
				return status, err
			}
		default:
			return status, nil
		}
	}
}

// deadly are the signals by which this process ends as the child did. Others would
// print a trace of our own.
var deadly = map[syscall.Signal]bool{
	syscall.SIGHUP: true, syscall.SIGINT: true, syscall.SIGTERM: true, syscall.SIGKILL: true,
	syscall.SIGUSR1: true, syscall.SIGUSR2: true, syscall.SIGALRM: true,
}

// Die ends this process by the signal that ended the child. Where that cannot be, it
// returns, and Status is to be exited with.
func (e *Ended) Die() {
	if !deadly[e.Signal] {
		return
	}
	signal.Reset(e.Signal)
	if syscall.Kill(os.Getpid(), e.Signal) == nil {
		select {} // until it arrives
	}
}
