package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/store/file"
)

const (
	// BackOff is how long after a failed start no command tries again by itself.
	BackOff = 30 * time.Second
	// startLimit is how long a start may take until the node answers.
	startLimit = 30 * time.Second
	// stopLimit is how long a node may take to end.
	stopLimit = 20 * time.Second
	// forceAfter is how long it may take before Down with force ends it the hard way.
	forceAfter = 3 * time.Second
	// poll is the pause between two probes of a node that comes or goes.
	poll = 10 * time.Millisecond
)

// State is a running node's answer to a probe.
type State struct {
	Version string
	PID     int
	// Ready is false while the node is still opening its store and its network.
	Ready bool
}

// Config says which node, and how it is reached and started.
type Config struct {
	// Dir is the user's claudemesh folder. It must exist.
	Dir string
	// Socket is where the node listens.
	Socket string
	// Command is the program and its arguments that run a node in the foreground.
	// Its stderr becomes the log; what it prints on stdout is read until it ends.
	Command []string
	// Failure finds in that stdout why the node could not start.
	Failure func(stdout []byte) (Failure, bool)
	// Manual keeps Ensure from starting a node: then a service manager does.
	Manual bool
	// Environ is the environment a node gets.
	Environ []string
	// Probe asks the node for its state. It returns an error for which Absent is
	// true when no node answers.
	Probe func(ctx context.Context) (State, error)
	// Absent tells whether an error of Probe means that no node runs.
	Absent func(error) bool
	// Progress tells a person what is being waited for, until stop is called.
	Progress func(text string) (stop func())
	// Working is Progress for what takes long whatever comes.
	Working func(text string) (stop func())
	// Now is the wall clock; it dates the failed start.
	Now func() time.Time
	Log *slog.Logger
}

// Control finds, starts and stops one node. It is safe for concurrent use.
type Control struct {
	cfg Config
}

// New keeps the configuration and does nothing.
func New(c Config) *Control { return &Control{cfg: c} }

// Wanted tells whether a node should run: false after Down until the next start.
func (c *Control) Wanted() bool {
	_, err := os.Stat(c.path(stoppedFile))
	return errors.Is(err, os.ErrNotExist)
}

// Started notes that a node runs by other means than Up, so that it is wanted.
func (c *Control) Started() { c.remember(nil) }

// State asks the node once. The error is a *ForeignError if something else listens in its
// place.
func (c *Control) State(ctx context.Context) (State, error) {
	s, err := c.cfg.Probe(ctx)
	if err == nil || c.cfg.Absent(err) || ctx.Err() != nil {
		return s, err
	}
	if foreign := c.Foreign(); foreign != nil {
		return State{}, foreign
	}
	return s, err
}

// Ensure returns the state of a ready node, starting one where none runs. Within
// BackOff of a failed start it returns that failure (a *StartError) instead, with
// Manual ErrManual.
func (c *Control) Ensure(ctx context.Context) (State, error) {
	s, _, err := c.up(ctx, true)
	return s, err
}

// Up is Ensure for a person who asks for it: it always tries. It tells whether it
// was this call that started the node.
func (c *Control) Up(ctx context.Context) (s State, started bool, err error) {
	return c.up(ctx, false)
}

func (c *Control) up(ctx context.Context, patient bool) (State, bool, error) {
	if s, err := c.State(ctx); err == nil && s.Ready || err != nil && !c.cfg.Absent(err) {
		return s, false, err
	}
	defer c.cfg.Progress("starting the node")()
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, ErrSlow)
	defer cancel()
	lock, s, err := c.lockOrReady(ctx)
	if lock == nil {
		return s, false, err
	}
	defer lock.Unlock()
	s, err = c.State(ctx)
	if err == nil {
		s, err = c.ready(ctx, nil)
		return s, false, err
	}
	if !c.cfg.Absent(err) {
		return s, false, err
	}
	if patient {
		if err := c.mayStart(); err != nil {
			return State{}, false, err
		}
	}
	s, err = c.start(ctx)
	c.remember(err)
	return s, err == nil, err
}

// mayStart tells why no command should start a node by itself now.
func (c *Control) mayStart() error {
	if c.cfg.Manual {
		return ErrManual
	}
	return c.recentFailure()
}

// lockOrReady waits for the start lock, or for the node that its holder starts.
func (c *Control) lockOrReady(ctx context.Context) (*file.Lock, State, error) {
	for {
		lock, err := file.TryLock(c.path(lockFile))
		if lock != nil || err != nil {
			return lock, State{}, err
		}
		if s, err := c.cfg.Probe(ctx); err == nil && s.Ready {
			return nil, s, nil
		}
		if err := pause(ctx); err != nil {
			return nil, State{}, err
		}
	}
}

// ready waits until the node answers as ready, or exited says it never will.
func (c *Control) ready(ctx context.Context, exited <-chan struct{}) (State, error) {
	for {
		s, err := c.cfg.Probe(ctx)
		if err != nil && ctx.Err() != nil {
			return State{}, context.Cause(ctx) // the time was over while it was asked
		}
		if err == nil && s.Ready || err != nil && !c.cfg.Absent(err) {
			return s, err
		}
		select {
		case <-exited:
			// Another node may have taken the folder first; then it is the one.
			s, err := c.cfg.Probe(ctx)
			if err != nil {
				return State{}, errExited
			}
			exited = nil
			if s.Ready {
				return s, nil
			}
		default:
			if err := pause(ctx); err != nil {
				return State{}, err
			}
		}
	}
}

// Down ends the node and waits until it is gone. It tells whether one ran. A node
// that does not answer or does not end is a *HungError; with force it is killed. What
// listens in its place and is no node is left alone: a *ForeignError.
func (c *Control) Down(ctx context.Context, force bool) (ran bool, err error) {
	return c.Without(ctx, force, func() error { return nil })
}

// Without is Down that then runs fn: no command starts a node before that has
// returned. fn's error is its own.
func (c *Control) Without(ctx context.Context, force bool, fn func() error) (ran bool, err error) {
	ending, cancel := context.WithTimeoutCause(ctx, stopLimit, ErrSlow)
	defer cancel()
	waited := c.cfg.Progress("stopping the node")
	defer waited()
	lock, err := c.lock(ending)
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	if ran, err = c.down(ending, force, waited); err != nil {
		return ran, err
	}
	waited()
	return ran, fn()
}

// down ends the node. The caller holds the lock. found is called once one is found, which
// is told.
func (c *Control) down(ctx context.Context, force bool, found func()) (ran bool, err error) {
	if err := file.Write(c.path(stoppedFile), nil); err != nil {
		return false, fmt.Errorf("note that the node was stopped: %w", err)
	}
	s, err := c.cfg.Probe(ctx)
	switch {
	case err == nil:
		if err := c.proven(s.PID, true); err != nil {
			return true, err
		}
		found()
		defer c.cfg.Working("stopping the node")()
		return true, end(ctx, s.PID, force)
	case c.cfg.Absent(err):
		return c.downUnheard(ctx, force, found)
	}
	pid := listener(c.cfg.Socket)
	if pid <= 1 {
		return true, &HungError{}
	}
	if err := c.proven(pid, false); err != nil {
		return true, err
	}
	if !force {
		return true, &HungError{PID: pid}
	}
	return true, end(ctx, pid, true)
}

// downUnheard ends a node whose socket was removed: it holds the socket's lock, and nobody
// can reach it.
func (c *Control) downUnheard(ctx context.Context, force bool, found func()) (ran bool, err error) {
	pid := file.Holder(c.lockPath())
	if pid <= 1 {
		return false, nil
	}
	found()
	defer c.cfg.Working("stopping the node")()
	return true, end(ctx, pid, force)
}

// end has a process end in its own way or, with force, in the hard one.
func end(ctx context.Context, pid int, force bool) error {
	soft := ctx
	if force {
		var cancel context.CancelFunc
		soft, cancel = context.WithTimeoutCause(ctx, forceAfter, ErrSlow)
		defer cancel()
	}
	err := endProcess(soft, pid)
	if !errors.Is(err, ErrSlow) {
		return err
	}
	if !force || ctx.Err() != nil {
		return &HungError{PID: pid}
	}
	return killProcess(ctx, pid)
}

func (c *Control) lock(ctx context.Context) (*file.Lock, error) {
	for {
		lock, err := file.TryLock(c.path(lockFile))
		if lock != nil || err != nil {
			return lock, err
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// Listener is the process that listens at the socket, also one that has stopped
// working; 0 if there is none, or the system does not tell.
func (c *Control) Listener() int { return listener(c.cfg.Socket) }

// LogPath is where a node started here writes its log.
func (c *Control) LogPath() string { return filepath.Join(c.cfg.Dir, "logs", "node.log") }

func (c *Control) path(name string) string { return filepath.Join(c.cfg.Dir, name) }

// pause waits a moment, or returns why ctx ended.
func pause(ctx context.Context) error {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
