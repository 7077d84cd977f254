//go:build linux || darwin

package local

import (
	"fmt"
	"net"
	"os"
)

// checkPeer returns errForeign unless the process at the other side runs as the
// same user.
func checkPeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("ask who connects: %w", err)
	}
	var uid uint32
	var failed error
	if err := raw.Control(func(fd uintptr) { uid, failed = peerUID(int(fd)) }); err != nil {
		return fmt.Errorf("ask who connects: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("ask who connects: %w", failed)
	}
	if int(uid) != os.Geteuid() {
		return errForeign
	}
	return nil
}
