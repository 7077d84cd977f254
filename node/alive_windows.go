package node

import "golang.org/x/sys/windows"

// alive tells whether a process of this machine runs.
func alive(pid int) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return err == windows.ERROR_ACCESS_DENIED
	}
	state, err := windows.WaitForSingleObject(h, 0)
	_ = windows.CloseHandle(h)
	return err == nil && state == uint32(windows.WAIT_TIMEOUT)
}
