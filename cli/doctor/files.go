package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/node/op"
)

// restoring is the file that a node has there while a restore is put in place.
const restoring = "restoring.json"

// lookAtFolder looks whether the claudemesh folder can be used at all.
func lookAtFolder(_ context.Context, x *exam) []Finding {
	var out []Finding
	if x.Stale != "" {
		out = append(out, warn("%s names %s, which does not exist: %s is used", settings.EnvDir, x.Stale, x.Dir).
			hint("unset %s, or correct it", settings.EnvDir))
	}
	info, err := os.Stat(x.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return append(out, pass("%s is not there yet: the first mesh makes it", x.Dir))
	case err != nil:
		return append(out, fail("%v", err).hint("the folder must be yours to read and write"))
	case !info.IsDir():
		return append(out, fail("%s is no folder", x.Dir).hint("move it away"))
	}
	if user, known := x.System.Owner(info); known && user != x.System.User {
		return append(out, fail("%s belongs to user %d, and you are %d", x.Dir, user, x.System.User).
			hint("sudo chown -R %d %s; and do not use sudo with claudemesh", x.System.User, x.Dir))
	}
	if exists(x.in(restoring)) {
		out = append(out, warn("a restore was stopped in the middle: a part of what was restored is in place").
			hint("`claudemesh node up` finishes it; nothing is lost"))
	}
	return append(append(out, x.unfinished()...), pass("%s", x.Dir))
}

// unfinished tells of keys that a restore has left which was killed early.
func (x *exam) unfinished() []Finding {
	if x.Node.Unfinished == nil {
		return nil
	}
	left, err := x.Node.Unfinished()
	if err != nil || len(left) == 0 {
		return nil // what cannot be looked at, other checks tell of
	}
	forget := func(context.Context) (op.Phrase, error) {
		return op.Phrasef("removed %s", strings.Join(left, ", ")), x.Node.Forget()
	}
	return one(warn("a restore was ended before it put anything in place, and left keys behind: %s", strings.Join(left, ", ")).
		hint("`claudemesh doctor --fix` removes that; so do the next restore and the next start of the node").by(forget))
}

// maxEntries is at how many files rights are looked.
const maxEntries = 5000

// lookAtRights looks whether others can read what is the user's alone.
func lookAtRights(ctx context.Context, x *exam) []Finding {
	e, ok := x.before(ctx)
	switch {
	case !ok:
		return one(fail("the files cannot be looked at in time").hint("is the folder on a network drive that is away?"))
	case runtime.GOOS == "windows":
		return one(skip("on Windows the folder's access list counts, not modes"))
	case len(e.modes) == 0:
		return one(pass("nobody else can read your keys, mail and settings"))
	}
	return e.modes
}

// lookAtModes lists what is too open, or closed to the user.
func (x *exam) lookAtModes() (out []Finding) {
	if runtime.GOOS == "windows" {
		return nil
	}
	base := x.Dir
	if real, err := filepath.EvalSymlinks(base); err == nil {
		base = real // a link itself would not be walked
	}
	seen := 0
	walk := func(path string, d fs.DirEntry, err error) error {
		if seen++; err != nil || seen > maxEntries {
			return nil // other checks tell of what cannot be read
		}
		info, err := d.Info()
		if err != nil || info.Mode()&(fs.ModeSymlink|fs.ModeSocket) != 0 {
			return nil
		}
		if f, wrong := x.mode(base, path, info); wrong {
			out = append(out, f)
		}
		return nil
	}
	_ = filepath.WalkDir(base, walk) // walk returns no error
	return out
}

// mode says what is wrong with the mode of what is at a path in the folder base.
func (x *exam) mode(base, path string, info fs.FileInfo) (Finding, bool) {
	want, least := fs.FileMode(0o600), fs.FileMode(0o400)
	if info.IsDir() {
		want, least = 0o700, 0o500
	}
	mode := info.Mode().Perm()
	fix := fmt.Sprintf("chmod %03o %s", want, path)
	mend := func(context.Context) (op.Phrase, error) {
		return op.Phrasef("gave %s the mode %04o", path, want), chmod(base, path, want)
	}
	switch {
	case mode&least != least:
		return fail("%s has the mode %04o: you cannot read it yourself", path, mode).hint("%s", fix).by(mend), true
	case mode&0o077 == 0:
		return Finding{}, false
	case closed(base, path):
		return pass("%s has the mode %04o; nobody else comes into its folder", path, mode).hint("%s", fix).by(mend), true
	case secret(base, path):
		return fail("%s has the mode %04o: others may read it", path, mode).hint("%s", fix).by(mend), true
	}
	return warn("%s has the mode %04o: others may read it", path, mode).hint("%s", fix).by(mend), true
}

// closed tells whether a folder between base, which counts, and what is at a path in it lets
// nobody else in. What lies there is out of others' reach whatever its own mode.
func closed(base, path string) bool {
	for path != base && filepath.Dir(path) != path {
		path = filepath.Dir(path)
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o011 == 0 {
			return true
		}
	}
	return false
}

// chmod gives what is at a path in the folder base a mode. It follows no link, though one
// may have come there meanwhile.
func chmod(base, path string, mode fs.FileMode) error {
	root, err := os.OpenRoot(base)
	if err != nil {
		return err
	}
	defer root.Close()
	name, err := filepath.Rel(base, path)
	if err != nil {
		return err
	}
	if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		return errors.Join(err, fmt.Errorf("%s: %w", path, errReplaced))
	}
	return root.Chmod(name, mode)
}

// secret tells whether what is at a path in the folder base must be nobody else's.
func secret(base, path string) bool {
	rel, err := filepath.Rel(base, path)
	if err != nil {
		return true
	}
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	switch first {
	case "logs", "setup", "peer-cache.json", "last-used.json", "start.lock", "start.failed", "stopped", "restoring.lock":
		return false
	}
	return true
}

// lookAtSettings reads config.json.
func lookAtSettings(_ context.Context, x *exam) []Finding {
	path := settings.Path(x.Dir)
	if _, err := x.Settings(); err != nil {
		return one(fail("%v", err).hint("correct it there; `claudemesh config` lists the settings. Without %s all are the default", path))
	}
	if !exists(path) {
		return one(pass("%s is not there: all settings are the default", path))
	}
	return one(pass("%s", path))
}

const (
	lowSpace = 200 << 20 // bytes
	noSpace  = 8 << 20
)

// lookAtDisk looks whether the node can write.
func lookAtDisk(_ context.Context, x *exam) []Finding {
	dir := x.Dir
	for !exists(dir) && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
	}
	bytes, files, err := x.System.Free(dir)
	if err != nil {
		return one(skip("the room on the disk is not known: %v", err))
	}
	free := op.Word("free some space, or move the folder: what cannot be written is not accepted, and nothing acknowledged is lost")
	left := op.Phrasef("%d MiB left at %s", bytes>>20, dir)
	switch err := x.System.TryWrite(dir); {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), err == nil && bytes < noSpace:
		return one(fail("the disk is full: %s", left).hint("%s", free))
	case files == 0:
		return one(fail("the disk takes no more files: %s", dir).hint("remove files there; the room for their contents is not what is missing"))
	case errors.Is(err, syscall.EROFS):
		return one(fail("the disk is read-only: %s", dir).hint("mount it writable, or use another folder: %s", settings.EnvDir))
	case err != nil:
		return one(fail("the folder takes no files: %v", err).hint("it must be yours to write"))
	case bytes < lowSpace:
		return one(warn("the disk is nearly full: %s", left).hint("free some space soon"))
	}
	return one(pass("%s", left))
}
