//go:build unix

package local

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// private checks that dir belongs to the user and that nobody else can replace
// what lies in it.
func private(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the folder of the socket: %w", err)
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
