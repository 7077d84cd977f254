//go:build unix

package term

import (
	"os"

	"golang.org/x/sys/unix"
)

// closed tells whether a stream was closed when the program started: the runtime
// then opens the null device in its place, for reading and writing, which nobody
// does who throws output away on purpose with a shell.
func closed(f *os.File) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return true
	}
	if flags&unix.O_ACCMODE != unix.O_RDWR {
		return false
	}
	here, err := f.Stat()
	if err != nil {
		return true
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(here, null)
}
