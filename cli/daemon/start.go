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

	// maxLog is the size from which a log is put aside at the next start.
	maxLog = 10 << 20
	// tail is how much of a log is read to find its last line.
	tail = 8 << 10
)

// failure is the content of start.failed.
type failure struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
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
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = detached()
	from := size(c.LogPath())
	if err := cmd.Start(); err != nil {
		return State{}, &StartError{Reason: err.Error()}
	}
	s, err := c.ready(ctx, c.reap(cmd))
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, errExited):
		return State{}, &StartError{Reason: lastLine(c.LogPath(), from)}
	case errors.Is(err, ErrSlow):
		return State{}, &StartError{Reason: fmt.Sprintf("no answer within %s", startLimit)}
	default:
		return State{}, err
	}
}

// reap waits for the child in a goroutine that ends with it, so that a long-lived
// starter leaves no zombie. The child may well outlive this process.
func (c *Control) reap(cmd *exec.Cmd) <-chan struct{} {
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		err := cmd.Wait()
		c.cfg.Log.Debug("node process ended", "pid", cmd.Process.Pid, "error", err)
	}()
	return exited
}

// remember notes how a start went for the commands that come next.
func (c *Control) remember(err error) {
	var failed *StartError
	switch {
	case err == nil:
		_ = os.Remove(c.path(failedFile))
		_ = os.Remove(c.path(stoppedFile))
	case errors.As(err, &failed):
		text, _ := json.Marshal(failure{c.cfg.Now(), failed.Reason})
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
	ago := c.cfg.Now().Sub(f.At)
	if ago < 0 || ago >= BackOff {
		return nil
	}
	return &StartError{Reason: f.Reason, Ago: max(ago, time.Second)}
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

// lastLine returns the last line a log got behind an offset.
func lastLine(path string, from int64) string {
	const silent = "it ended without a word"
	f, err := os.Open(path)
	if err != nil {
		return silent
	}
	defer f.Close()
	if _, err := f.Seek(max(from, size(path)-tail), io.SeekStart); err != nil {
		return silent
	}
	text, err := io.ReadAll(io.LimitReader(f, tail))
	if err != nil {
		return silent
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if last := bytes.TrimSpace(lines[len(lines)-1]); len(last) > 0 {
		return string(last)
	}
	return silent
}
