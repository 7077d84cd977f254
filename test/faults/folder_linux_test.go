package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/claudemesh/claudemesh/test/harness"
)

// nobody is an ordinary user.
const nobody = 65534

// ordinary makes a world whose processes belong to an ordinary user, and a folder of
// that user's.
func ordinary(t *testing.T) (w *harness.World, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become an ordinary user")
	}
	w = world(t, drop)
	dir = filepath.Join(w.Root(), "ana", ".claudemesh")
	must(t, os.MkdirAll(dir, 0o700))
	return w, dir
}

// drop makes the calling thread, and what it starts, an ordinary user's.
func drop() error {
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
		return fmt.Errorf("drop groups: %w", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, nobody, nobody, nobody); e != 0 {
		return fmt.Errorf("drop the group: %w", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); e != 0 {
		return fmt.Errorf("drop the user: %w", e)
	}
	return nil
}

// hand gives all of a world to the ordinary user, and a program that it can reach.
func hand(t *testing.T, w *harness.World) {
	t.Helper()
	must(t, filepath.WalkDir(w.Root(), func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	}))
}

// reachable is a copy of the program in a folder that everybody may enter.
func reachable(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become an ordinary user")
	}
	dir, err := os.MkdirTemp("", "cmesh-bin-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a temporary folder
	must(t, os.Chmod(dir, 0o755))
	from, err := os.Open(bin)
	must(t, err)
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "claudemesh"), os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(to, from)
	must(t, errors.Join(err, to.Close()))
	was := bin
	bin = to.Name()
	t.Cleanup(func() { bin = was })
}

// An ordinary user's folder cannot be written to: from the beginning, with all that a
// node has in it, in single files, and while the node runs. Each time the person is told
// which, and when it is mended everything is there.
func TestAFolderThatMayNotBeWritten(t *testing.T) {
	reachable(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w, dir := ordinary(t)
	ana := home(t, w, "ana", dir)
	hand(t, w)
	must(t, os.Chmod(dir, 0o500))
	fails(ctx, t, ana, "node", "up").says(t, dir, "write")
	must(t, os.Chmod(dir, 0o700))

	upAndDown(ctx, t, ana, "new", "atelier")
	for _, c := range []struct {
		what        string
		spoil, mend func()
		name        string
	}{
		{"the folder", func() { must(t, os.Chmod(dir, 0o500)) }, func() { must(t, os.Chmod(dir, 0o700)) }, dir},
		{"the store", func() { must(t, os.Chown(filepath.Join(dir, "node.db"), 0, 0)) }, func() { must(t, os.Chown(filepath.Join(dir, "node.db"), nobody, nobody)) }, "node.db"},
		{"the node's key", func() { must(t, os.Chown(filepath.Join(dir, "node.key"), 0, 0)) }, func() { must(t, os.Chown(filepath.Join(dir, "node.key"), nobody, nobody)) }, "node.key"},
		{"the logs", func() { must(t, os.Chown(filepath.Join(dir, "logs"), 0, 0)) }, func() { must(t, os.Chown(filepath.Join(dir, "logs"), nobody, nobody)) }, "logs"},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.spoil()
			fails(ctx, t, ana, "node", "up").says(t, c.name)
			c.mend()
			upAndDown(ctx, t, ana, "list")
		})
	}
	t.Run("while it runs", func(t *testing.T) {
		must(t, ana.JSON(ctx, &struct{}{}, "node", "up"))
		pid := running(ctx, ana)
		must(t, os.Chmod(dir, 0o500))
		must(t, os.Chmod(filepath.Join(dir, "keys"), 0o500))
		fails(ctx, t, ana, "new", "other").says(t, "keys", "write")
		must(t, ana.JSON(ctx, &struct{}{}, "state", "set", "plan", "1")) // the store is open
		must(t, os.Chmod(filepath.Join(dir, "keys"), 0o700))
		must(t, os.Chmod(dir, 0o700))
		must(t, ana.JSON(ctx, &struct{}{}, "new", "other"))
		if pid == 0 || running(ctx, ana) != pid {
			t.Error("the node has not gone on")
		}
		must(t, ana.JSON(ctx, &struct{}{}, "node", "down"))
	})
}
