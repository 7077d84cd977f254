package hook

import "golang.org/x/sys/unix"

// parentOf finds a process's parent, or 0.
func parentOf(pid int) int {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0
	}
	return int(info.Eproc.Ppid)
}
