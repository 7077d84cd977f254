package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Process is one process that a world started. It is safe for concurrent use.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string // path of what it printed on stderr, and on stdout if nobody reads that
	done chan struct{}
	late *time.Timer
}

// launch is a process to start.
type launch struct {
	name          string
	args, env     []string
	dir           string
	stdin, stdout *os.File // nil: none, the log
	follow        func()   // if not nil, runs until the process has closed stdout
}

// start starts the program. The world kills it at the latest.
func (w *World) start(l launch) (*Process, error) {
	p := &Process{name: l.name, log: w.logPath(l.name), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", l.name, err)
	}
	defer log.Close()
	p.cmd = exec.Command(w.cfg.Bin, l.args...)
	p.cmd.Env, p.cmd.Dir, p.cmd.SysProcAttr = l.env, l.dir, apart()
	p.cmd.Stderr, p.cmd.Stdout = log, log
	if l.stdin != nil {
		p.cmd.Stdin = l.stdin
	}
	if l.stdout != nil {
		p.cmd.Stdout = l.stdout
	}
	if err := w.own(p, l.follow); err != nil {
		return nil, fmt.Errorf("start %s: %w", l.name, err)
	}
	return p, nil
}

// watch reaps the process; it ends with it.
func (p *Process) watch() {
	defer close(p.done)
	_ = p.cmd.Wait() // its state says how it ended
	p.late.Stop()
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed once the process has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends the process and its children at once, as kill -9 does, and waits.
func (p *Process) Kill() {
	select {
	case <-p.done:
	default:
		killGroup(p.PID())
		<-p.done
	}
}

// Pause stops the process and its children where they are, as the sleep of their
// machine does; the network, and the clocks, go on.
func (p *Process) Pause() error { return pause(p.PID()) }

// Resume has them go on.
func (p *Process) Resume() error { return resume(p.PID()) }

// Interrupt sends SIGINT, as an agent does at its end, and waits.
func (p *Process) Interrupt(ctx context.Context) error { return p.end(ctx, interrupt) }

// Terminate sends SIGTERM and waits.
func (p *Process) Terminate(ctx context.Context) error { return p.end(ctx, terminate) }

func (p *Process) end(ctx context.Context, sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return p.Wait(ctx)
}

// Wait waits for the end. The error is ctx's or that of the exit status.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("%s (pid %d) has not ended: %w", p.name, p.PID(), context.Cause(ctx))
	}
	if s := p.cmd.ProcessState; !s.Success() {
		return fmt.Errorf("%s ended with %s", p.name, s)
	}
	return nil
}

// Tail is the end of what the process printed on stderr, at most 4 KiB.
func (p *Process) Tail() string { return tail(p.log) }

// tail returns the last 4 KiB of a file.
func tail(path string) string {
	const most = 4 << 10
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return ""
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	return string(text)
}
