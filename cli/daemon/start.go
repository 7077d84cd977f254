package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/store/file"
)

const (
	lockFile    = "start.lock"
	failedFile  = "start.failed"
	stoppedFile = "stopped"
	// settingsFile is what a person mends after a start that failed.
	settingsFile = "config.json"

	// codeTaken is what a node says that finds its folder in use.
	codeTaken = "conflict"

	// maxLog is the size from which a log is put aside at the next start.
	maxLog = 10 << 20
	// tail is how much of a log is read to find its last line, and of what
	// a child says.
	tail = 8 << 10
)

// failure is the content of start.failed.
type failure struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	Code   string    `json:"code,omitempty"`
	Hint   string    `json:"hint,omitempty"`
}

// start runs a node in the background and waits until it is ready. The caller
// holds the lock. A node that does not answer in time is left to itself: it may be
// migrating its store.
func (c *Control) start(ctx context.Context) (State, error) {
	log, err := openLog(c.LogPath())
	if err != nil {
		return State{}, err
	}
	defer log.Close()
	cmd := exec.Command(c.cfg.Command[0], c.cfg.Command[1:]...)
	cmd.Dir, cmd.Env = c.cfg.Dir, c.cfg.Environ
	cmd.Stderr = log
	cmd.SysProcAttr = detached()
	from := size(c.LogPath())
	said, err := speak(cmd)
	if err != nil {
		return State{}, &StartError{Failure: Failure{Message: err.Error()}}
	}
	child := c.reap(cmd, said)
	s, err := c.ready(ctx, child.exited)
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, errExited):
		return c.takenFirst(ctx, c.lastWords(child, from))
	case errors.Is(err, ErrSlow):
		return State{}, &StartError{Failure: Failure{Message: fmt.Sprintf("no answer within %s", startLimit)}}
	default:
		return State{}, err
	}
}

// takenFirst is what follows from the end of a child. If another process holds the
// store, somebody else, as a service manager, has started that one a moment earlier:
// it is waited for.
func (c *Control) takenFirst(ctx context.Context, f Failure) (State, error) {
	failed := &StartError{Failure: f}
	if f.Code != codeTaken {
		return State{}, failed
	}
	s, err := c.ready(ctx, nil)
	if errors.Is(err, ErrSlow) {
		return s, failed
	}
	return s, err
}

// speak starts a command and returns where its stdout can be read. It is a pipe and
// no file, so that even on a full disk a node can say why it does not start.
func speak(cmd *exec.Cmd) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	cmd.Stdout = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// child is a process that was started here. Its fields but exited are set once
// that is closed.
type child struct {
	exited chan struct{}
	said   []byte // on stdout
	err    error  // its exit status
}

// reap waits for the child in a goroutine that ends with it, so that a long-lived
// starter leaves no zombie. The child may well outlive this process.
func (c *Control) reap(cmd *exec.Cmd, said *os.File) *child {
	ch := &child{exited: make(chan struct{})}
	go func() {
		defer close(ch.exited)
		defer said.Close()
		var err error
		ch.said, err = io.ReadAll(io.LimitReader(said, tail))
		_, _ = io.Copy(io.Discard, said) // so that the child never waits for us
		ch.err = cmd.Wait()
		c.cfg.Log.Debug("node process ended", "pid", cmd.Process.Pid, "error", errors.Join(ch.err, err))
	}()
	return ch
}

// lastWords are why a child that has ended did so: what it said, else the last
// thing it wrote into its log, which got longer from an offset on.
func (c *Control) lastWords(ch *child, from int64) Failure {
	if f, ok := c.cfg.Failure(ch.said); ok {
		return f
	}
	if line := lastLine(c.LogPath(), from); line != "" {
		return Failure{Message: line}
	}
	if ch.err != nil {
		return Failure{Message: "it ended without a word: " + ch.err.Error()}
	}
	return Failure{Message: "it ended without a word"}
}

// remember notes how a start went for the commands that come next.
func (c *Control) remember(err error) {
	var failed *StartError
	switch {
	case err == nil:
		_ = os.Remove(c.path(failedFile))
		_ = os.Remove(c.path(stoppedFile))
	case errors.As(err, &failed):
		text, _ := json.Marshal(failure{c.cfg.Now(), failed.Message, failed.Code, failed.Hint})
		if err := file.Write(c.path(failedFile), text); err != nil {
			c.cfg.Log.Warn("cannot note the failed start", "error", err)
		}
	}
}

// recentFailure returns the failed start that is still too young to try again.
func (c *Control) recentFailure() error {
	text, err := file.Read(c.path(failedFile))
	if err != nil {
		return nil
	}
	var f failure
	if json.Unmarshal(text, &f) != nil {
		return nil
	}
	if set, err := os.Stat(c.path(settingsFile)); err == nil && set.ModTime().After(f.At) {
		return nil // the settings were changed since: the reason may be gone
	}
	ago := c.cfg.Now().Sub(f.At)
	if ago < 0 || ago >= BackOff {
		return nil
	}
	return &StartError{Failure: Failure{f.Code, f.Reason, f.Hint}, Ago: max(ago, time.Second)}
}

// openLog opens a log for appending, in a folder of its own that only the user
// can read, and puts a large one aside first.
func openLog(path string) (*os.File, error) {
	if err := file.Dir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("make the log's folder: %w", err)
	}
	if size(path) > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("put the old log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// lastLine returns the last line a log got behind an offset, or "".
func lastLine(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if _, err := f.Seek(max(from, size(path)-tail), io.SeekStart); err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(f, tail))
	if err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}
