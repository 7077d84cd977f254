package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// fsName begins the name of each mount; the process that serves it follows.
const fsName = "claudemesh-powercut-"

// record mounts the file system, runs the child in it and unmounts.
func record(t testing.TB, cfg Config) recording {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		unavailable(t, err.Error())
	}
	sweep()
	backing, mount := t.TempDir(), t.TempDir()
	l := newLog(cfg.Fault)
	unmount := serve(t, l, backing, mount)
	var r recording
	func() {
		defer unmount()
		r.output, r.exit = runChild(t, cfg, mount, l)
	}()
	r.events = l.take()
	return r
}

// serve mounts the log's file system. The returned function unmounts it; it
// is also called when the test ends.
func serve(t testing.TB, l *log, backing, mount string) func() {
	t.Helper()
	root := &fsNode{LoopbackNode: &fs.LoopbackNode{}, log: l}
	root.RootData = &fs.LoopbackRoot{Path: backing, RootNode: root}
	long := time.Minute // nobody else changes the files
	server, err := fs.Mount(mount, root, &fs.Options{
		AttrTimeout:  &long,
		EntryTimeout: &long,
		MountOptions: fuse.MountOptions{FsName: fsName + strconv.Itoa(os.Getpid()), Name: "powercut", DirectMount: true},
	})
	if err != nil {
		unavailable(t, fmt.Sprintf("cannot mount: %v", err))
	}
	keepFromChildren()
	var once sync.Once
	unmount := func() {
		once.Do(func() {
			if err := server.Unmount(); err == nil {
				return
			}
			// A process that was not killed may sit in it: abort what it waits
			// for and take the name away.
			if err := syscall.Unmount(mount, syscall.MNT_FORCE|syscall.MNT_DETACH); err != nil {
				t.Errorf("unmount %s: %v", mount, err)
			}
		})
	}
	t.Cleanup(unmount)
	return unmount
}

// keepFromChildren marks the connection to the kernel, which go-fuse opens
// without that, to be closed in children. A child that had it would keep the
// mount alive after the death of the process that serves it, and wait for ever.
func keepFromChildren() {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, e := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to == "/dev/fuse" {
			if fd, err := strconv.Atoi(e.Name()); err == nil {
				syscall.CloseOnExec(fd)
			}
		}
	}
}

// sweep takes away the mounts of test processes that died. It touches nothing
// inside them: that could wait for ever.
func sweep() {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		name, rest, _ := strings.Cut(line, " ")
		owner, ours := strings.CutPrefix(name, fsName)
		pid, err := strconv.Atoi(owner)
		if !ours || err != nil || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			continue
		}
		folder, _, _ := strings.Cut(rest, " ")
		_ = syscall.Unmount(folder, syscall.MNT_FORCE|syscall.MNT_DETACH)
	}
}

// runChild runs the child until it ends, has acknowledged enough or is late.
func runChild(t testing.TB, cfg Config, mount string, l *log) (output string, exit error) {
	t.Helper()
	var out tail
	cmd := cfg.Child(mount)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	// A group of its own, so that its own children are killed with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the child: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer kill(cmd)
	late := time.NewTimer(cfg.Timeout)
	defer late.Stop()
	select {
	case exit = <-ended:
	case <-l.reached(cfg.Acks):
		kill(cmd)
		exit = <-ended
	case <-late.C:
		kill(cmd)
		exit = <-ended
		t.Errorf("the child did not end in %v", cfg.Timeout)
	}
	return out.String(), exit
}

// kill ends the child's process group.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// tail keeps the end of what the child prints.
type tail struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (o *tail) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b.Write(p)
	if over := o.b.Len() - 64<<10; over > 0 {
		o.b.Next(over)
	}
	return len(p), nil
}

func (o *tail) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// isAcks reports whether a name in a folder is that of the acknowledgements.
func isAcks(dir int, name string) bool { return dir == rootDir && filepath.Base(name) == ackFile }
