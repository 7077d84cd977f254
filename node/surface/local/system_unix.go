//go:build unix

package local

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// shortDir is the folder of sockets whose own folder has too long a path. Everybody
// may make folders in /tmp: whether it is the user's alone is checked by private on
// the one side, and on the other by who listens.
func shortDir() string { return "/tmp/claudemesh-" + strconv.Itoa(os.Geteuid()) }

// private checks that dir belongs to the user and that nobody else can replace
// what lies in it.
func private(dir string) error {
	look := os.Stat
	if dir == shortDir() {
		look = os.Lstat // a link there is not to be followed: anybody can make one
	}
	info, err := look(dir)
	if err != nil {
		return fmt.Errorf("look at the folder of the socket: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is no folder", ErrNotPrivate, dir)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to another user", ErrNotPrivate, dir)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: run `chmod 700 %s`", ErrNotPrivate, dir)
	}
	return nil
}

// lockFile takes an exclusive lock that ends with the process, or returns
// ErrRunning. On file systems without locks it takes none.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil, errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS):
		return nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return ErrRunning
	default:
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
}

// refused tells whether a failed dial shows that nobody listens.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}
