package daemon

import "golang.org/x/sys/unix"

// peerPID is the process at the other end of a Unix socket, or 0.
func peerPID(fd int) int {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0
	}
	return int(peer.Pid)
}
