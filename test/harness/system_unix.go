//go:build unix

package harness

import (
	"os"
	"syscall"
)

// killGroup kills the process group that pid leads.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // gone already: as wished

// pause stops the process group that pid leads, resume has it go on.
func pause(pid int) error  { return syscall.Kill(-pid, syscall.SIGSTOP) }
func resume(pid int) error { return syscall.Kill(-pid, syscall.SIGCONT) }

// interrupt and terminate are what an agent and an operator send.
var (
	interrupt os.Signal = syscall.SIGINT
	terminate os.Signal = syscall.SIGTERM
)
