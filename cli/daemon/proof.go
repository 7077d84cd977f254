package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/store/file"
)

// program is what node binaries are called, however they are called beside that.
const program = "claudemesh"

// Foreign is a *ForeignError if what listens at the socket is certainly no node, also if it
// does not answer.
func (c *Control) Foreign() error {
	pid := listener(c.cfg.Socket)
	if pid <= 1 {
		return nil
	}
	return c.proven(pid, true)
}

// proven returns a *ForeignError unless a process is the node of this folder, as far as the
// system tells: it listens at the socket, and holds the socket's lock. Where the system does
// not tell who holds it, the process must run claudemesh; one that has answered as a node
// does may have any name. What it says of itself alone proves nothing.
func (c *Control) proven(pid int, answered bool) error {
	foreign := func(pid int, why string) error { return &ForeignError{PID: pid, Socket: c.cfg.Socket, Why: why} }
	if at := listener(c.cfg.Socket); at > 1 && at != pid {
		return foreign(at, "it calls itself another process than it is")
	}
	switch holder := file.Holder(c.lockPath()); {
	case holder == pid:
		return nil
	case holder > 1:
		return foreign(pid, fmt.Sprintf("the node is process %d", holder))
	}
	held, known := c.locked()
	if known && !held {
		return foreign(pid, "it does not hold the lock that each node takes")
	}
	if exe, known := executable(pid); known && !c.runsNodes(exe) && !(answered && held) {
		return foreign(pid, "it runs "+exe.path)
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

// lockPath is the file that a node has locked while it listens.
func (c *Control) lockPath() string { return c.cfg.Socket + ".lock" }

// locked tells whether somebody holds the lock of the socket. It is not known without the
// file, and on a file system without locks.
func (c *Control) locked() (held, known bool) {
	path := c.lockPath()
	if _, err := os.Stat(path); err != nil {
		return false, false
	}
	lock, err := file.TryLock(path)
	if lock != nil {
		lock.Unlock()
	}
	return err == nil && lock == nil, err == nil
}
