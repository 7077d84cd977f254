package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// fullErrors are the system's ways to say that a file cannot grow.
func fullErrors() []error {
	return []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}
}

// release unlocks the byte bbolt locks, the last one there can be, and closes
// the file.
func release(f *os.File) error {
	last := &windows.Overlapped{Offset: 1<<32 - 1, OffsetHigh: 1<<32 - 1}
	err := windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, last)
	return errors.Join(err, f.Close())
}

// syncFolder does nothing: Windows journals names and cannot sync a folder.
func syncFolder(string) error { return nil }
