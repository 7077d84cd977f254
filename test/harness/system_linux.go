package harness

import "syscall"

// apart puts a child in a process group of its own and has the kernel kill it
// when the thread that started it ends.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
