// Package file reads and writes the small private files beside the store: keys,
// tokens, settings. A file is whole or absent, never half written, and belongs to
// its user alone. Large or numerous data lives in package store instead.
package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxSize is the largest file Read takes, in bytes.
const MaxSize = 1 << 20

// Errors of Open and Read.
var (
	// ErrTooLarge tells that a file is larger than MaxSize.
	ErrTooLarge = errors.New("file is too large")
	// ErrNotPlain tells that something else than a plain file has its name.
	ErrNotPlain = errors.New("no plain file")
)

// Dir makes a private folder (0700) with its parents, and takes group and others
// their rights on an existing one.
func Dir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return os.Chmod(path, 0o700)
	}
	return nil
}

// Write replaces the file at path by data, mode 0600: it writes a temporary file
// in the same folder, syncs it, renames it and syncs the folder. After an error the
// old content stands.
func Write(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".tmp-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(tmp.Name())))
		}
	}()
	if err := fill(tmp, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// fill writes, syncs and closes f.
func fill(f *os.File, data []byte) error {
	_, werr := f.Write(data)
	if werr == nil {
		werr = f.Sync()
	}
	return errors.Join(werr, f.Close())
}

// Open opens a plain file, or a link to one, for reading. Others could keep who reads them
// waiting for ever, as a pipe does to which nobody writes.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, ErrNotPlain)
	}
	return os.Open(path)
}

// Read returns the content of a plain file of at most MaxSize bytes. A missing file is
// fs.ErrNotExist.
func Read(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	return data, nil
}

// Remove deletes a file and syncs its folder. A missing file is no error.
func Remove(path string) error {
	if err := ignoreMissing(os.Remove(path)); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
