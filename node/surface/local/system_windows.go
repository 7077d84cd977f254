package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// checkPeer accepts everybody who came this far: the access list of the folder
// lets the user in and nobody else.
func checkPeer(*net.UnixConn) error { return nil }

// shortDir is the folder of sockets whose own folder has too long a path, in the
// user's profile.
func shortDir() string {
	base, err := windows.KnownFolderPath(windows.FOLDERID_LocalAppData, 0)
	if err != nil {
		base = os.TempDir()
	}
	return filepath.Join(base, "claudemesh")
}

// private checks that dir exists; its access list is the user profile's.
func private(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("look at the folder of the socket: %w", err)
	}
	return nil
}

// lockFile takes an exclusive lock that ends with the process, or returns
// ErrRunning.
func lockFile(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		return ErrRunning
	default:
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
}

// refused tells whether a failed dial shows that nobody listens.
func refused(err error) bool {
	return errors.Is(err, windows.WSAECONNREFUSED) || errors.Is(err, os.ErrNotExist) ||
		errors.Is(err, windows.WSAENETUNREACH) || errors.Is(err, windows.ERROR_PATH_NOT_FOUND)
}
