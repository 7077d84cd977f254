package probe

import (
	"io/fs"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

func free(dir string) (bytes, files int64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var left uint64
	err = windows.GetDiskFreeSpaceEx(name, &left, nil, nil)
	return int64(min(left, 1<<62)), -1, err
}

func owner(fs.FileInfo) (int, bool) { return 0, false }

// registered is the command in the registry.
func registered() string {
	key, err := registry.OpenKey(registry.CURRENT_USER, `Software\Classes\claudemesh\shell\open\command`, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer key.Close()
	command, _, err := key.GetStringValue("")
	if err != nil {
		return ""
	}
	return command
}
