package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/claudemesh/claudemesh/store/inspect"
)

const fileMode = 0o600

// Open opens the store, creating or migrating it if need be. Start [DB.Run]
// afterwards: until then only Views work, and Updates wait.
//
// Errors: ErrConfig, ErrLocked, ErrNewer, ErrBroken, ErrFull, a migration's
// own error, or the file system's. Each names the file and what to do.
func Open(cfg Config) (*DB, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	if err := ensure(cfg); err != nil {
		return nil, err
	}
	b, file, err := openBolt(cfg.Path, cfg.LockTimeout)
	if err != nil {
		return nil, err
	}
	db := &DB{cfg: cfg, log: cfg.Log, bolt: b, file: file}
	db.queue.init()
	db.feed = &Feed{db: db, more: make(chan struct{})}
	if err := db.prepare(); err != nil {
		_ = b.Close()
		return nil, err
	}
	return db, nil
}

// openBolt opens an existing bbolt file and takes its lock. It is looked at
// first: bbolt trusts what it finds.
func openBolt(path string, wait time.Duration) (*bolt.DB, *os.File, error) {
	b, file, err := tryBolt(path, &bolt.Options{ReadOnly: true, Timeout: wait})
	if err != nil {
		return nil, nil, err
	}
	err = inspected(file, inspect.Head)
	if err = errors.Join(err, b.Close()); errors.Is(err, inspect.ErrDamaged) {
		return nil, nil, broken(path, err)
	} else if err != nil {
		return nil, nil, fmt.Errorf("store: look at %s: %w", path, err)
	}
	return tryBolt(path, &bolt.Options{Timeout: wait, FreelistType: bolt.FreelistMapType, NoStatistics: true})
}

// tryBolt opens the file with these options. Without error the caller closes
// what it gets.
func tryBolt(path string, options *bolt.Options) (b *bolt.DB, file *os.File, err error) {
	options.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		var err error
		file, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
		return file, err
	}
	err = guard(func() (err error) {
		b, err = bolt.Open(path, fileMode, options)
		return err
	})
	if err == nil {
		return b, file, nil
	}
	if file != nil {
		_ = release(file) // after a panic bbolt has not
	}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, nil, fmt.Errorf("%w: %s; use that process, or stop it first", ErrLocked, path)
	case isFile(err):
		return nil, nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	return nil, nil, broken(path, err)
}

// inspected runs one of the inspections on an open file.
func inspected(f *os.File, look func(io.ReaderAt, int64) error) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return look(f, info.Size())
}

// isFile reports whether the error came from the file system, not from what
// is in the file.
func isFile(err error) bool {
	var path *fs.PathError
	var number syscall.Errno
	return errors.As(err, &path) || errors.As(err, &number)
}

// broken is ErrBroken for the file at path, with its cause and the next step.
func broken(path string, cause error) error {
	return fmt.Errorf("%w: %s: %w; move the file away to start with an empty store, or put a copy in its place (%s.schema-N if there is one)",
		ErrBroken, path, cause, filepath.Base(path))
}

// prepare makes sure that the open file is a whole store of the right schema.
func (db *DB) prepare() error {
	if err := db.restrict(); err != nil {
		return err
	}
	var have meta
	err := guard(func() error {
		return db.bolt.View(func(btx *bolt.Tx) error {
			var err error
			have, err = readMeta(btx)
			return err
		})
	})
	if err != nil {
		return db.broken(err)
	}
	db.id = have.id
	if err := db.migrate(have.schema); err != nil {
		return err
	}
	db.sweep()
	return db.bolt.View(func(btx *bolt.Tx) error {
		db.horizon.init(btx.ID())
		return nil
	})
}

// restrict takes the file from everybody but its owner.
func (db *DB) restrict() error {
	info, err := db.file.Stat()
	if err != nil {
		return fmt.Errorf("store: %s: %w", db.cfg.Path, err)
	}
	if info.Mode().Perm()&^fileMode == 0 {
		return nil
	}
	if err := os.Chmod(db.cfg.Path, fileMode); err != nil {
		return fmt.Errorf("store: take the file from other users: %w", err)
	}
	return nil
}

// ensure creates the store if there is no file. It is built beside its place
// and then linked there: a crash leaves no half store, and of two processes
// one wins.
func ensure(cfg Config) error {
	info, err := os.Stat(cfg.Path)
	switch {
	case err == nil && info.Mode().IsRegular() && info.Size() == 0:
		// bbolt would make a new store of it and nobody would miss the old.
		return broken(cfg.Path, errors.New("it is empty"))
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("store: %s is not a file; choose another path, or move it away", cfg.Path)
	case !errors.Is(err, fs.ErrNotExist):
		return nil // what else may be wrong with it, opening will tell
	}
	fresh, err := build(cfg)
	if fresh != "" {
		defer func() { _ = os.Remove(fresh) }()
	}
	if err == nil {
		err = place(fresh, cfg.Path)
	}
	if _, there := os.Lstat(cfg.Path); err != nil && there == nil {
		return nil // another process was faster
	}
	if err != nil {
		return fmt.Errorf("store: create %s: %w", cfg.Path, asFull(err))
	}
	return nil
}

// build makes a complete, empty store under a name of its own.
func build(cfg Config) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(cfg.Path), filepath.Base(cfg.Path)+newSuffix+"*")
	if err != nil {
		return "", err
	}
	name = f.Name()
	if err := f.Close(); err != nil {
		return name, err
	}
	b, _, err := tryBolt(name, &bolt.Options{Timeout: cfg.LockTimeout})
	if err != nil {
		return name, err
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	err = b.Update(func(btx *bolt.Tx) error {
		return writeMeta(btx, meta{id: hex.EncodeToString(random), schema: cfg.Schema})
	})
	return name, errors.Join(err, b.Close())
}

const newSuffix = ".new-"

// place gives the file its name, which must be free. File systems without
// hard links get a rename, which cannot refuse a name taken since we looked.
func place(fresh, path string) error {
	err := os.Link(fresh, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if _, there := os.Lstat(path); !errors.Is(there, fs.ErrNotExist) {
			return err
		}
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// sweep removes what a crash while creating or copying left behind. It runs
// under the lock: whoever is creating meanwhile finds the store there.
func (db *DB) sweep() {
	for _, suffix := range []string{newSuffix, copySuffix} {
		names, _ := filepath.Glob(escape(db.cfg.Path) + suffix + "*")
		for _, name := range names {
			_ = os.Remove(name)
		}
	}
}

// escape makes a path match only itself in filepath.Glob.
func escape(path string) string {
	var b []byte
	for _, c := range []byte(path) {
		if c == '*' || c == '?' || c == '[' {
			b = append(b, '[', c, ']')
			continue
		}
		b = append(b, c)
	}
	return string(b)
}
