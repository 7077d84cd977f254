//go:build unix

package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// detached puts the node in a session of its own, so that neither a closed
// terminal nor its Ctrl-C ends it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// endProcess asks a process to end and waits until it is gone.
func endProcess(ctx context.Context, pid int) error { return signal(ctx, pid, syscall.SIGTERM) }

// killProcess ends a process that does not heed the question.
func killProcess(ctx context.Context, pid int) error { return signal(ctx, pid, syscall.SIGKILL) }

// signal sends a signal that ends a process and waits until it is gone.
func signal(ctx context.Context, pid int, sig syscall.Signal) error {
	if pid <= 1 {
		return fmt.Errorf("the node gave no usable process id: %d", pid)
	}
	err := syscall.Kill(pid, sig)
	for err == nil && !zombie(pid) {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("process %d does not end: %w", pid, err)
		}
		if syscall.Kill(pid, 0) != nil {
			return nil
		}
	}
	if err == nil || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return fmt.Errorf("end process %d: %w", pid, err)
}

// zombie tells whether a process has ended and its parent has not asked how: in a
// container nobody may ever do so. Without a /proc the answer is no.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	if _, rest, ok := strings.Cut(string(stat), ") "); !ok || !strings.HasPrefix(rest, "Z") {
		return false
	}
	// The first thread may end before the others, which hold the socket open.
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err != nil || len(threads) <= 1
}

// Alive tells whether a process exists.
func Alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
