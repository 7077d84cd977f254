package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/claudemesh/claudemesh/store/inspect"
)

// examineWait is how long Examine waits for another process to let go of the file.
const examineWait = 100 * time.Millisecond

// Examine reads the whole file at path and says whether a program that writes schema
// could open it: nil, or as Open ErrLocked, ErrNewer, ErrBroken, or the file system's
// error. It changes nothing. While it runs no other process can open the store.
func Examine(path string, schema int) error {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return broken(path, errors.New("it is empty"))
	} else if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	b, file, err := tryBolt(path, &bolt.Options{ReadOnly: true, Timeout: examineWait})
	if err != nil {
		return err
	}
	err = inspected(file, inspect.Head)
	if err == nil {
		err = inspected(file, inspect.File)
	}
	var have meta
	if err == nil {
		err = guard(func() error {
			return b.View(func(btx *bolt.Tx) (err error) {
				have, err = readMeta(btx)
				return err
			})
		})
	}
	closing := b.Close()
	switch {
	case err != nil && isFile(err):
		return fmt.Errorf("store: look at %s: %w", path, err)
	case err != nil:
		return broken(path, err)
	case have.schema > schema:
		return newer(path, have.schema, schema)
	}
	return closing
}

// newer is ErrNewer for the file at path.
func newer(path string, have, want int) error {
	return fmt.Errorf("%w: %s has format %s, this version knows up to %d; use the newer version, or put a copy made before (%s.schema-N) in its place",
		ErrNewer, path, schemaName(have), want, filepath.Base(path))
}
