package daemon

import "golang.org/x/sys/unix"

// peerPID is the process at the other end of a Unix socket, or 0.
func peerPID(fd int) int {
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return 0
	}
	return pid
}
