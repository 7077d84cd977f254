package term

import (
	"os"

	"golang.org/x/sys/unix"
)

// fread tells the system to flush the input queue (FREAD of sys/file.h).
const fread = 1

// dropInput forgets what was typed and not read.
func dropInput(f *os.File) { _ = unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCFLUSH, fread) }
