package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/claudemesh/claudemesh/store/inspect"
)

// DB is an open store. All its methods may be called at the same time.
type DB struct {
	cfg     Config
	log     *slog.Logger
	bolt    *bolt.DB
	file    *os.File // bbolt's, to be closed when bbolt cannot
	id      string
	horizon horizon
	queue   queue
	feed    *Feed
	fatal   sync.Once
	closing sync.Once
	closed  error
}

// ID is the store's own name: 32 lower-case hex characters, random, made when
// the file was created. A feed position is worth something only with it.
func (db *DB) ID() string { return db.id }

// Path is where the file is.
func (db *DB) Path() string { return db.cfg.Path }

// Feed gives the durable feed of changes.
func (db *DB) Feed() *Feed { return db.feed }

// View runs fn with a consistent view of what is on disk. Slices that fn gets
// are valid until it returns and must not be changed. An error of fn is
// returned as it is, a panic as a *PanicError, or as ErrBroken if the file turns out to
// be damaged: bbolt panics on what it cannot read. Otherwise ErrClosed or ErrFailed.
func (db *DB) View(fn func(tx *Tx) error) error {
	if err := db.horizon.failed(); err != nil {
		return err
	}
	err := guard(func() error { return db.view(fn) })
	var p *PanicError
	switch {
	case !errors.As(err, &p):
	case p.fault():
		err = db.fail(db.broken(err))
		db.tell()
	default:
		if damage := db.Check(); errors.Is(damage, ErrBroken) {
			err = damage
		}
	}
	return err
}

func (db *DB) view(fn func(tx *Tx) error) error {
	btx, err := db.bolt.Begin(false)
	if err != nil {
		return closedOr(err)
	}
	defer func() { _ = btx.Rollback() }()
	if err := db.horizon.wait(btx.ID()); err != nil {
		return err
	}
	tx := &Tx{bolt: btx}
	defer tx.end()
	return fn(tx)
}

// Check reads the whole file and says what is wrong with its structure, as
// ErrBroken, or nil. Nothing is written meanwhile, so it is for a doctor and
// for tests.
func (db *DB) Check() error {
	if err := db.horizon.failed(); err != nil {
		return err
	}
	err := guard(func() error {
		btx, err := db.bolt.Begin(true)
		if err != nil {
			return closedOr(err)
		}
		defer func() { _ = btx.Rollback() }()
		if err := db.horizon.failed(); err != nil {
			return err
		}
		return inspected(db.file, inspect.File)
	})
	if errors.Is(err, inspect.ErrDamaged) {
		return db.broken(err)
	}
	return err
}

// Close ends the store: a running writer commits what is queued and ends,
// what is queued without a writer gets ErrClosed, open Views are waited for.
// Called again it returns the same answer.
func (db *DB) Close() error {
	db.closing.Do(func() {
		db.queue.close()
		db.queue.waitStopped()
		db.queue.refuse(ErrClosed)
		db.feed.end()
		if db.horizon.failed() != nil {
			// bbolt may hold its own locks for ever.
			db.closed = release(db.file)
			return
		}
		db.closed = db.bolt.Close()
	})
	return db.closed
}

// fail makes every later read and write fail and tells the owner, once.
func (db *DB) fail(cause error) error {
	db.horizon.fail(fmt.Errorf("%w %s; restart, then try again (whether the last changes are stored is unknown): %w",
		ErrFailed, db.cfg.Path, cause))
	db.queue.close()
	db.feed.end()
	return db.horizon.failed()
}

// tell reports the failure to the owner, after everybody was answered.
func (db *DB) tell() {
	err := db.horizon.failed()
	if err == nil {
		return
	}
	db.fatal.Do(func() {
		db.log.Error("store failed", "path", db.cfg.Path, "err", err)
		if db.cfg.Fatal != nil {
			db.cfg.Fatal(err)
		}
	})
}

func (db *DB) broken(cause error) error { return broken(db.cfg.Path, cause) }

// guard runs fn; a panic, also one from memory that cannot be read, becomes a
// *PanicError.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn()
}

func closedOr(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
