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
	var cred *unix.Xucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
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
