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
)

// lookAtFolder looks whether the claudemesh folder can be used at all.
func lookAtFolder(_ context.Context, x *exam) []Finding {
	var out []Finding
	if x.Stale != "" {
		out = append(out, warn(fmt.Sprintf("%s names %s, which does not exist: %s is used", settings.EnvDir, x.Stale, x.Dir),
			"unset "+settings.EnvDir+", or correct it"))
	}
	info, err := os.Stat(x.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return append(out, pass("%s is not there yet: the first mesh makes it", x.Dir))
	case err != nil:
		return append(out, fail(err.Error(), "the folder must be yours to read and write"))
	case !info.IsDir():
		return append(out, fail(x.Dir+" is no folder", "move it away"))
	}
	if user, known := x.System.Owner(info); known && user != x.System.User {
		return append(out, fail(fmt.Sprintf("%s belongs to user %d, and you are %d", x.Dir, user, x.System.User),
			fmt.Sprintf("sudo chown -R %d %s; and do not use sudo with claudemesh", x.System.User, x.Dir)))
	}
	return append(out, pass("%s", x.Dir))
}

// maxEntries is at how many files rights are looked.
const maxEntries = 5000

// lookAtRights looks whether others can read what is the user's alone.
func lookAtRights(ctx context.Context, x *exam) []Finding {
	e, ok := x.before(ctx)
	switch {
	case !ok:
		return one(fail("the files cannot be looked at in time", "is the folder on a network drive that is away?"))
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
	seen := 0
	walk := func(path string, d fs.DirEntry, err error) error {
		if seen++; err != nil || seen > maxEntries {
			return nil // other checks tell of what cannot be read
		}
		info, err := d.Info()
		if err != nil || info.Mode()&(fs.ModeSymlink|fs.ModeSocket) != 0 {
			return nil
		}
		if f, wrong := x.mode(path, info); wrong {
			out = append(out, f)
		}
		return nil
	}
	_ = filepath.WalkDir(x.Dir, walk) // walk returns no error
	return out
}

func (x *exam) mode(path string, info fs.FileInfo) (Finding, bool) {
	want, least := fs.FileMode(0o600), fs.FileMode(0o400)
	if info.IsDir() {
		want, least = 0o700, 0o500
	}
	mode := info.Mode().Perm()
	fix := fmt.Sprintf("chmod %03o %s", want, path)
	mend := func(context.Context) (string, error) {
		return fmt.Sprintf("gave %s the mode %04o", path, want), os.Chmod(path, want)
	}
	switch {
	case mode&least != least:
		return fail(fmt.Sprintf("%s has the mode %04o: you cannot read it yourself", path, mode), fix).by(mend), true
	case mode&0o077 == 0:
		return Finding{}, false
	case x.secret(path):
		return fail(fmt.Sprintf("%s has the mode %04o: others may read it", path, mode), fix).by(mend), true
	}
	return warn(fmt.Sprintf("%s has the mode %04o: others may read it", path, mode), fix).by(mend), true
}

// secret tells whether what is at a path must be nobody else's.
func (x *exam) secret(path string) bool {
	rel, err := filepath.Rel(x.Dir, path)
	if err != nil {
		return true
	}
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	switch first {
	case "logs", "setup", "peer-cache.json", "last-used.json", "start.lock", "start.failed", "stopped":
		return false
	}
	return true
}

// lookAtSettings reads config.json.
func lookAtSettings(_ context.Context, x *exam) []Finding {
	path := settings.Path(x.Dir)
	if _, err := x.Settings(); err != nil {
		return one(fail(err.Error(), "correct it there; `claudemesh config` lists the settings. Without "+path+" all are the default"))
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
	const free = "free some space, or move the folder: what cannot be written is not accepted, and nothing acknowledged is lost"
	left := fmt.Sprintf("%d MiB left at %s", bytes>>20, dir)
	switch err := x.System.TryWrite(dir); {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), err == nil && bytes < noSpace:
		return one(fail("the disk is full: "+left, free))
	case files == 0:
		return one(fail("the disk takes no more files: "+dir, "remove files there; the room for their contents is not what is missing"))
	case errors.Is(err, syscall.EROFS):
		return one(fail("the disk is read-only: "+dir, "mount it writable, or use another folder: "+settings.EnvDir))
	case err != nil:
		return one(fail("the folder takes no files: "+err.Error(), "it must be yours to write"))
	case bytes < lowSpace:
		return one(warn("the disk is nearly full: "+left, "free some space soon"))
	}
	return one(pass("%s", left))
}
