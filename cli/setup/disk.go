package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 64 << 20

// content is a settings file as it is on disk.
type content struct {
	path   string // behind all links
	exists bool
	mode   fs.FileMode
	data   []byte
}

// look reads a file that may be missing. Links are followed, also those that lead to
// nothing yet.
func look(path string) (content, error) {
	real, err := follow(path)
	if err != nil {
		return content{}, err
	}
	c := content{path: real, mode: 0o600}
	info, err := os.Stat(real)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case err != nil:
		return c, err
	case !info.Mode().IsRegular():
		return c, ErrNotFile
	case info.Size() > maxFile:
		return c, ErrLarge
	}
	c.exists, c.mode = true, info.Mode().Perm()
	c.data, err = os.ReadFile(real)
	return c, err
}

// maxLinks is how many links are followed.
const maxLinks = 40

// follow finds what a path leads to.
func follow(path string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", fmt.Errorf("%s: its links lead in a circle", path)
}

// errMoved means that the file changed since it was looked at.
var errMoved = errors.New("it changed meanwhile")

// replace writes new data in place of what was looked at: into a file beside it, then
// by one rename, and reads it back.
func (c content) replace(data []byte) (err error) {
	if c.exists && c.mode&0o200 == 0 {
		return ErrReadOnly
	}
	dir := filepath.Dir(c.path)
	if !c.exists {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(c.path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name()) // it is what failed, or a leftover
		}
	}()
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(c.mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := c.still(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), c.path); err != nil {
		return err
	}
	back, err := os.ReadFile(c.path)
	if err == nil && !bytes.Equal(back, data) {
		err = ErrBusy
	}
	return err
}

// still tells with errMoved that the file is not what it was.
func (c content) still() error {
	now, err := look(c.path)
	if err == nil && (now.exists != c.exists || !bytes.Equal(now.data, c.data)) {
		err = errMoved
	}
	return err
}

// remove deletes the file, and its folder if that is empty then and ours.
func (c content) remove(ownFolder bool) error {
	if c.mode&0o200 == 0 {
		return ErrReadOnly
	}
	if err := c.still(); err != nil {
		return err
	}
	if err := os.Remove(c.path); err != nil {
		return err
	}
	if ownFolder {
		_ = os.Remove(filepath.Dir(c.path)) // stays if the user keeps something there
	}
	return nil
}
