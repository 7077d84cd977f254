package daemon

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"
)

// executable is the file that a process runs, if the system tells.
func executable(pid int) (image, bool) {
	raw, err := unix.SysctlRaw("kern.procargs2", pid)
	const count = 4 // bytes of the number of arguments, before the path
	if err != nil || len(raw) <= count {
		return image{}, false
	}
	path, _, _ := bytes.Cut(raw[count:], []byte{0})
	info, err := os.Stat(string(path))
	if err != nil {
		info = nil
	}
	return image{string(path), info}, len(path) > 0
}
