package daemon

import (
	"os"

	"golang.org/x/sys/windows"
)

// executable is the file that a process runs, if the system tells.
func executable(pid int) (image, bool) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return image{}, false
	}
	defer windows.CloseHandle(h)
	name := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(name))
	if err := windows.QueryFullProcessImageName(h, 0, &name[0], &n); err != nil {
		return image{}, false
	}
	path := windows.UTF16ToString(name[:n])
	info, err := os.Stat(path)
	if err != nil {
		info = nil
	}
	return image{path, info}, true
}
