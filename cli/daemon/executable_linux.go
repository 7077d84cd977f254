package daemon

import (
	"os"
	"strconv"
	"strings"
)

// executable is the file that a process runs, if the system tells.
func executable(pid int) (image, bool) {
	link := "/proc/" + strconv.Itoa(pid) + "/exe"
	path, err := os.Readlink(link)
	if err != nil {
		return image{}, false
	}
	info, err := os.Stat(link) // also of a file that was removed meanwhile
	if err != nil {
		info = nil
	}
	return image{strings.TrimSuffix(path, " (deleted)"), info}, true
}
