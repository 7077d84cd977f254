package local

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// checkPeer returns errForeign unless the process at the other side runs as the
// same user.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("ask who connects: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return fmt.Errorf("ask who connects: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("ask who connects: %w", failed)
	}
	if int(cred.Uid) != os.Geteuid() {
		return errForeign
	}
	return nil
}
