package daemon

import "net"

// listener is the process that listens at a Unix socket, or 0. The system tells,
// so that even one which has stopped working is found, and never a wrong one.
func listener(socket string) (pid int) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return 0
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { pid = peerPID(int(fd)) }) // 0 after an error
	return pid
}
