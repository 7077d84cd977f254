package netns

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// space is a network namespace, held by a file descriptor.
type space struct{ held *os.File }

// newSpace makes an empty network with loopback up.
func newSpace() (*space, error) {
	s := &space{}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		s.held, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, s.ip("link set lo up")
}

// onThread runs fn on a thread of its own that ends with it, so that whatever fn
// does to the thread stays there.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- fn()
	}()
	return <-done
}

// enter puts the calling thread, and what it starts, into the namespace.
func (s *space) enter() error {
	if err := unix.Setns(int(s.held.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	return nil
}

// do runs fn inside the namespace.
func (s *space) do(fn func() error) error {
	return onThread(func() error {
		if err := s.enter(); err != nil {
			return err
		}
		return fn()
	})
}

// ip runs ip(8) inside the namespace, once per command.
func (s *space) ip(commands ...string) error {
	return s.do(func() error {
		for _, c := range commands {
			if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
				return fmt.Errorf("ip %s: %w: %s", c, err, strings.TrimSpace(string(out)))
			}
		}
		return nil
	})
}

// set writes a sysctl of the namespace.
func (s *space) set(name, value string) error {
	return s.do(func() error {
		return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644)
	})
}

// path names the namespace for ip(8).
func (s *space) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.held.Fd()) }

func (s *space) close() error { return s.held.Close() }
