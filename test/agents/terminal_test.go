//go:build agents

package agents

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
)

// terminal is a terminal with one program in it: tmux with a server of its own.
type terminal struct {
	t      *testing.T
	socket string
	// server and program are their process ids.
	server, program int
}

// newTerminal runs a program in a terminal. It ends with the test.
func newTerminal(ctx context.Context, t *testing.T, env []string, dir, name string, command ...string) *terminal {
	t.Helper()
	tm := &terminal{t: t, socket: filepath.Join(dir, name+".sock")}
	args := append([]string{"-f", "/dev/null", "new-session", "-d", "-s", "main", "-x", "150", "-y", "50", "-c", dir}, command...)
	cmd := tm.command(ctx, args...)
	cmd.Env, cmd.Dir = env, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	t.Cleanup(tm.close)
	ids := strings.Fields(tm.tmux(ctx, "display-message", "-p", "-t", "main", "#{pid} #{pane_pid}"))
	if len(ids) != 2 {
		t.Fatalf("tmux tells no process ids: %q", ids)
	}
	var err, err2 error
	tm.server, err = strconv.Atoi(ids[0])
	tm.program, err2 = strconv.Atoi(ids[1])
	must(t, errors.Join(err, err2))
	return tm
}

func (tm *terminal) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "tmux", append([]string{"-S", tm.socket}, args...)...)
}

// tmux gives tmux an order.
func (tm *terminal) tmux(ctx context.Context, args ...string) string {
	tm.t.Helper()
	out, err := tm.command(ctx, args...).CombinedOutput()
	if err != nil {
		tm.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// close ends what is left of it.
func (tm *terminal) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if tm.t.Failed() {
		if out, err := tm.command(ctx, "capture-pane", "-p", "-t", "main").Output(); err == nil {
			tm.t.Logf("the screen at the end:\n%s", strings.TrimSpace(string(out)))
		}
	}
	for _, pid := range []int{tm.program, tm.server} {
		if pid > 0 {
			_ = kill(pid) // gone already: as wished
		}
	}
	if err := awaitGone(ctx, tm.program, tm.server); err != nil {
		tm.t.Error(err)
	}
}

// screen is what is to be seen.
func (tm *terminal) screen(ctx context.Context) string {
	tm.t.Helper()
	return tm.tmux(ctx, "capture-pane", "-p", "-t", "main")
}

// await waits until a text is to be seen.
func (tm *terminal) await(ctx context.Context, text string) {
	tm.t.Helper()
	if err := harness.Until(ctx, func() (bool, any, error) {
		screen := tm.screen(ctx)
		return strings.Contains(screen, text), screen, nil
	}); err != nil {
		tm.t.Fatalf("%q is not on the screen: %v", text, err)
	}
}

// press presses keys, by tmux's names.
func (tm *terminal) press(ctx context.Context, keys ...string) {
	tm.t.Helper()
	tm.tmux(ctx, append([]string{"send-keys", "-t", "main"}, keys...)...)
}

// enter types a line: its text, and when it is to be seen, the key.
func (tm *terminal) enter(ctx context.Context, text string) {
	tm.t.Helper()
	tm.tmux(ctx, "send-keys", "-t", "main", "-l", text)
	tm.await(ctx, text)
	tm.press(ctx, "Enter")
}

// kill ends a process without a word.
func kill(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

// running tells whether a process is there; one that has ended and that nobody has
// waited for is not.
func running(pid int) bool {
	if pid <= 0 || syscall.Kill(pid, 0) != nil {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

// awaitGone waits until none of the processes is there.
func awaitGone(ctx context.Context, pids ...int) error {
	for _, pid := range pids {
		if err := harness.Until(ctx, func() (bool, any, error) { return !running(pid), pid, nil }); err != nil {
			return fmt.Errorf("process %d is still there: %w", pid, err)
		}
	}
	return nil
}
