package daemon

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/store/file"
)

// program is what node binaries are called, however they are called beside that.
const program = "claudemesh"

// proven returns a *ForeignError unless a process is the node of this folder, as far as the
// system tells: it listens at the socket, holds the socket's lock, and runs claudemesh. What
// it says of itself proves nothing: anybody of this user could say so.
func (c *Control) proven(pid int) error {
	if at := listener(c.cfg.Socket); at > 1 && at != pid {
		return &ForeignError{PID: at, Socket: c.cfg.Socket, Why: "it calls itself another process than it is"}
	}
	exe, known := executable(pid)
	if known && !c.runsNodes(exe) {
		return &ForeignError{PID: pid, Socket: c.cfg.Socket, Why: "it runs " + exe.path}
	}
	if c.unlocked() {
		return &ForeignError{PID: pid, Socket: c.cfg.Socket, Why: "it does not hold the lock that each node takes"}
	}
	return nil
}

// image is the file that a process runs. info is nil where it cannot be looked at.
type image struct {
	path string
	info os.FileInfo
}

// runsNodes tells whether a file is a program that runs nodes: ours, or another version.
func (c *Control) runsNodes(exe image) bool {
	if len(c.cfg.Command) > 0 {
		own := c.cfg.Command[0]
		if info, err := os.Stat(own); err == nil && exe.info != nil && os.SameFile(info, exe.info) {
			return true
		}
		// An upgrade puts the older one aside under a longer name.
		if strings.HasPrefix(filepath.Base(exe.path), strings.TrimSuffix(filepath.Base(own), ".exe")) {
			return true
		}
	}
	return strings.HasPrefix(filepath.Base(exe.path), program)
}

// unlocked tells that nobody holds the lock of the socket. A file system without locks
// tells nothing.
func (c *Control) unlocked() bool {
	path := c.cfg.Socket + ".lock"
	if _, err := os.Stat(path); err != nil {
		return false
	}
	lock, err := file.TryLock(path)
	if lock != nil {
		lock.Unlock()
	}
	return err == nil && lock != nil
}
