package upgrade

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/upgrade/release"
	"github.com/claudemesh/claudemesh/store/file"
)

const (
	// newMark begins the name of a program that is being fetched.
	newMark = ".claudemesh-new-"
	// leftover is how long a file of that name must have been left alone to be what a
	// killed upgrade has left behind.
	leftover = 5 * time.Minute
)

// Previous is where the program before this one is kept.
func (u *Upgrader) Previous() string {
	path, exe := strings.CutSuffix(u.cfg.Executable, ".exe")
	path += ".previous"
	if exe {
		path += ".exe"
	}
	return path
}

// placeable tells why the program cannot be replaced where it is.
func (u *Upgrader) placeable() error {
	for _, dir := range []string{"/Cellar/", "/nix/store/", `\WinGet\Packages\`} {
		if strings.Contains(u.cfg.Executable, dir) {
			return fmt.Errorf("%w: %s", ErrManaged, u.cfg.Executable)
		}
	}
	f, err := os.CreateTemp(filepath.Dir(u.cfg.Executable), newMark+"*")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPlace, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// sweep removes what killed upgrades have left behind. That it cannot is no reason not
// to go on.
func (u *Upgrader) sweep() {
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(u.cfg.Executable), newMark+"*"))
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > leftover {
			_ = os.Remove(path)
		}
	}
}

// fresh makes an empty file beside the program, which only the user can write to.
func (u *Upgrader) fresh() (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(u.cfg.Executable), newMark+"*"+filepath.Ext(u.cfg.Executable))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlace, err)
	}
	return f, nil
}

// download fetches a program into a file beside the present one and holds it against
// its checksum.
func (u *Upgrader) download(ctx context.Context, name string, sums release.Sums) (string, error) {
	f, err := u.fresh()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = u.fetch(ctx, name, u.cfg.MaxSize, io.MultiWriter(toDisk{f}, sum))
	if err == nil {
		err = sums.Check(name, [sha256.Size]byte(sum.Sum(nil)))
	}
	return u.finish(f, err)
}

// stands tells whether the program in place is the one that a release lists under a name.
func (u *Upgrader) stands(name string, sums release.Sums) bool {
	f, err := os.Open(u.cfg.Executable)
	if err != nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false
	}
	return sums.Check(name, [sha256.Size]byte(sum.Sum(nil))) == nil
}

// copyPrevious makes a copy of the program that was kept.
func (u *Upgrader) copyPrevious() (string, error) {
	old, err := os.Open(u.Previous())
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoPrevious
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPlace, err)
	}
	defer old.Close()
	f, err := u.fresh()
	if err != nil {
		return "", err
	}
	_, err = io.Copy(toDisk{f}, old)
	return u.finish(f, err)
}

// finish makes a program of a file that was written without err, with the mode of the
// present one, and returns its path. Else it removes the file.
func (u *Upgrader) finish(f *os.File, err error) (string, error) {
	mode := fs.FileMode(0o755)
	if info, statErr := os.Stat(u.cfg.Executable); statErr == nil {
		mode = info.Mode().Perm() | 0o100
	}
	if err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", u.drop(f.Name(), err)
	}
	return f.Name(), nil
}

// drop removes a file that came to nothing, and returns why it did.
func (u *Upgrader) drop(path string, err error) error {
	if rmErr := os.Remove(path); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
		return errors.Join(err, rmErr)
	}
	return err
}

// swap puts the program at next in the place of the present one, which it keeps.
func (u *Upgrader) swap(next string) error {
	place := replace
	if u.cfg.GOOS == "windows" {
		place = replaceRunning
	}
	if err := place(u.cfg.Executable, next, u.Previous()); err != nil {
		return fmt.Errorf("%w: %w", ErrPlace, err)
	}
	return nil
}

// replace gives exe a second name first, so that a whole program stands at exe at
// every moment.
func replace(exe, next, previous string) error {
	aside := next + "-old"
	if err := os.Link(exe, aside); err != nil {
		if err = duplicate(exe, aside); err != nil {
			return err
		}
	}
	if err := os.Rename(aside, previous); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(next, exe); err != nil {
		return err
	}
	return file.SyncDir(filepath.Dir(exe))
}

// duplicate copies a program, for disks on which a file has one name.
func duplicate(from, to string) error {
	old, err := os.Open(from)
	if err != nil {
		return err
	}
	defer old.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, old)
	return errors.Join(err, f.Sync(), f.Close())
}

// replaceRunning moves exe away first, for systems on which a running program cannot
// be written over. If the new one cannot take its place, it comes back.
func replaceRunning(exe, next, previous string) error {
	// The one before may run still: then it cannot be removed, but moved.
	if err := os.Remove(previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(previous, next+"-old"); err != nil {
			return err
		}
	}
	if err := os.Rename(exe, previous); err != nil {
		return err
	}
	if err := os.Rename(next, exe); err != nil {
		return errors.Join(err, os.Rename(previous, exe))
	}
	return nil
}

// toDisk marks what the disk has to say.
type toDisk struct{ f *os.File }

func (d toDisk) Write(b []byte) (int, error) {
	n, err := d.f.Write(b)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}
