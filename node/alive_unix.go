//go:build unix

package node

import (
	"errors"
	"syscall"
)

// alive tells whether a process of this machine runs; one of another user does too.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
