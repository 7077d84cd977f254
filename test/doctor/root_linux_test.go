package doctor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/claudemesh/claudemesh/test/harness"
)

// A disk without room, small enough to be filled.
func TestAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	h := newWard(t)
	disk := filepath.Join(h.w.Root(), "disk")
	h.check(os.Mkdir(disk, 0o700))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=32m,mode=0700"); err != nil {
		t.Skipf("a disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h.write(filepath.Join(disk, "config.json"), "{}")
	small := *h
	var err error
	small.Home, err = h.w.HomeWith(harness.HomeConfig{Name: "small", Dir: disk})
	h.check(err)
	if s := small.doctor(); s.OK {
		if _, _, ok := s.find("disk", "nearly full", "free some space"); !ok {
			t.Errorf("32 MiB are enough:\n%s", s)
		}
	}
	fill, err := os.Create(filepath.Join(disk, "fill"))
	h.check(err)
	for err == nil {
		_, err = fill.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	h.check(fill.Close())
	small.names("fail", "disk", "the disk is full", "free some space")
}

// A socket that another user made.
func TestAnothersSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make another user's file")
	}
	h := newWard(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: h.in("node.sock"), Net: "unix"})
	h.check(err)
	defer l.Close()
	const nobody = 65534
	h.check(os.Lchown(h.in("node.sock"), nobody, nobody))
	h.names("fail", "socket", "belongs to user 65534", "sudo rm")
	h.check(os.Lchown(h.Dir, nobody, nobody))
	defer func() { h.check(os.Lchown(h.Dir, 0, 0)) }()
	h.names("fail", "folder", "belongs to user 65534", "chown")
}
