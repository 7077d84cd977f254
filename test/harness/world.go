package harness

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says which program a World drives.
type Config struct {
	// Bin is the path of the program, as from Build.
	Bin string
	// Limit is how long any one process may live. Zero means 10 minutes.
	Limit time.Duration
	// Env is added to the environment of every process, as KEY=VALUE.
	Env []string
	// Keep leaves the files, for a look at them; Root tells where.
	Keep bool
	// Enter, if not nil, is called on the thread from which all processes will be
	// started, as to put them into a network namespace.
	Enter func() error
}

// World is a set of homes and of the processes started for them. It is safe for
// concurrent use.
type World struct {
	cfg     Config
	root    string
	starter *starter
	readers sync.WaitGroup // of what processes write on stdout

	mu    sync.Mutex // guards what follows
	procs []*Process
	ports []int
	// reserved keep other worlds from the ports.
	reserved []net.Listener
	closed   bool
}

// New makes an empty world in a new temporary folder.
func New(cfg Config) (*World, error) {
	if cfg.Limit <= 0 {
		cfg.Limit = 10 * time.Minute
	}
	// Short, as sockets lie in it.
	root, err := os.MkdirTemp("", "cmesh-")
	if err != nil {
		return nil, fmt.Errorf("make a world: %w", err)
	}
	for _, dir := range []string{"logs", "tmp", "run"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			return nil, fmt.Errorf("make a world: %w", err)
		}
	}
	w := &World{cfg: cfg, root: root, starter: newStarter()}
	if cfg.Enter == nil {
		return w, nil
	}
	if err := w.starter.do(cfg.Enter); err != nil {
		return nil, errors.Join(fmt.Errorf("make a world: %w", err), w.Close())
	}
	return w, nil
}

// Root is the folder with all files of the world.
func (w *World) Root() string { return w.root }

// run starts a command, unless the world is closed.
func (w *World) run(cmd *exec.Cmd) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runLocked(cmd)
}

func (w *World) runLocked(cmd *exec.Cmd) error {
	if w.closed {
		return ErrClosed
	}
	return w.starter.do(cmd.Start)
}

// own starts p's command, and follow beside it, and keeps it to be killed at the
// end.
func (w *World) own(p *Process, follow func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.runLocked(p.cmd); err != nil {
		return err
	}
	p.late = time.AfterFunc(w.cfg.Limit, func() { killGroup(p.cmd.Process.Pid) })
	w.procs = append(slices.DeleteFunc(w.procs, ended), p)
	go p.watch()
	if follow != nil {
		w.readers.Go(follow)
	}
	return nil
}

func ended(p *Process) bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Close kills every process, waits for it, and removes the files. It returns what
// the logs tell of crashes and data races. It may be called more than once.
func (w *World) Close() error {
	w.mu.Lock()
	procs, reserved, before := w.procs, w.reserved, w.closed
	w.procs, w.reserved, w.closed = nil, nil, true
	w.mu.Unlock()
	if before {
		return nil
	}
	for _, p := range procs {
		p.Kill()
	}
	w.starter.close()
	w.readers.Wait()
	err := w.Faults()
	for _, l := range reserved {
		err = errors.Join(err, l.Close())
	}
	if !w.cfg.Keep {
		err = errors.Join(err, os.RemoveAll(w.root))
	}
	return err
}

// logPath is where the processes of that name write.
func (w *World) logPath(name string) string {
	return filepath.Join(w.root, "logs", name+".log")
}

// Logs are the ends of all logs, for a report of a failure.
func (w *World) Logs() string {
	var b strings.Builder
	for _, path := range w.logFiles() {
		if text := strings.TrimSpace(tail(path)); text != "" {
			fmt.Fprintf(&b, "── %s\n%s\n", filepath.Base(path), text)
		}
	}
	return b.String()
}

// logFiles lists what processes of the world have written: what the harness
// caught, and what nodes log by themselves.
func (w *World) logFiles() []string {
	var out []string
	for _, pattern := range []string{"logs/*.log", "*/.claudemesh/logs/*"} {
		files, err := filepath.Glob(filepath.Join(w.root, pattern))
		if err == nil { // the patterns are sound
			out = append(out, files...)
		}
	}
	return out
}

// faults are what no log may hold.
var faults = []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"}

// Faults returns an error that quotes the crashes and data races in the logs.
func (w *World) Faults() error {
	var errs []error
	for _, path := range w.logFiles() {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read a log: %w", err)
		}
		for _, f := range faults {
			if i := bytes.Index(text, []byte(f)); i >= 0 {
				errs = append(errs, fmt.Errorf("%s:\n%s", filepath.Base(path), text[i:min(len(text), i+3000)]))
			}
		}
	}
	return errors.Join(errs...)
}

// Find tells which logs contain text: secrets and bodies belong in none.
func (w *World) Find(text string) ([]string, error) {
	var out []string
	for _, path := range w.logFiles() {
		all, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read a log: %w", err)
		}
		if bytes.Contains(all, []byte(text)) {
			out = append(out, filepath.Base(path))
		}
	}
	return out, nil
}
