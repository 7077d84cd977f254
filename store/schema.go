package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

// The bucket that says what the file is.
const (
	metaBucket = "\x00meta"
	keyID      = "id"
	keySchema  = "schema" // of the user's data, 8 bytes big-endian
	keyLayout  = "layout" // of this package's own buckets, the same
	layout     = 1
)

// meta is what a store says of itself.
type meta struct {
	id     string
	schema int
}

func writeMeta(btx *bolt.Tx, m meta) error {
	b, err := btx.CreateBucketIfNotExists([]byte(metaBucket))
	if err != nil {
		return err
	}
	return errors.Join(
		b.Put([]byte(keyID), []byte(m.id)),
		b.Put([]byte(keySchema), number(m.schema)),
		b.Put([]byte(keyLayout), number(layout)),
	)
}

func readMeta(btx *bolt.Tx) (meta, error) {
	b := btx.Bucket([]byte(metaBucket))
	if b == nil {
		return meta{}, errors.New("it is a bbolt file, but not one of this program")
	}
	m := meta{id: string(b.Get([]byte(keyID)))}
	schema, err := readNumber(b, keySchema)
	if err != nil {
		return meta{}, err
	}
	have, err := readNumber(b, keyLayout)
	if err != nil {
		return meta{}, err
	}
	if len(m.id) != 32 {
		return meta{}, errors.New("its identity cannot be read")
	}
	// A newer layout is a newer schema, whatever the number says.
	if m.schema = schema; have > layout {
		m.schema = newest
	}
	return m, nil
}

// newest is more than any schema.
const newest = 1 << 30

func number(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func readNumber(b *bolt.Bucket, key string) (int, error) {
	v := b.Get([]byte(key))
	if len(v) != 8 {
		return 0, fmt.Errorf("its %s cannot be read", key)
	}
	n := binary.BigEndian.Uint64(v)
	if n < 1 || n > newest {
		return 0, fmt.Errorf("its %s is %d", key, n)
	}
	return int(n), nil
}

// migrate brings the store from schema have to that of the config.
func (db *DB) migrate(have int) error {
	want := db.cfg.Schema
	switch {
	case have == want:
		return nil
	case have > want:
		return newer(db.cfg.Path, have, want)
	}
	steps, err := db.steps(have)
	if err != nil {
		return err
	}
	copied := db.cfg.Path + ".schema-" + strconv.Itoa(have)
	if err := db.copyTo(copied); err != nil {
		return fmt.Errorf("store: copy %s before the migration: %w", db.cfg.Path, asFull(err))
	}
	if err := db.runSteps(steps); err != nil {
		return fmt.Errorf("store: migrate %s from format %d to %d: %w; a copy of it is %s", db.cfg.Path, have, want, asFull(err), copied)
	}
	db.log.Info("store migrated", "path", db.cfg.Path, "from", have, "to", want, "copy", copied)
	return nil
}

func schemaName(n int) string {
	if n == newest {
		return "of a newer layout"
	}
	return strconv.Itoa(n)
}

// steps gives the migrations from have on, one for each schema.
func (db *DB) steps(have int) ([]Migration, error) {
	var steps []Migration
	for from := have; from < db.cfg.Schema; from++ {
		i := slices.IndexFunc(db.cfg.Migrate, func(m Migration) bool { return m.From == from })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s has format %d and no migration leads from %d on", ErrConfig, db.cfg.Path, have, from)
		}
		steps = append(steps, db.cfg.Migrate[i])
	}
	return steps, nil
}

// runSteps runs the migrations and sets the schema in one transaction.
func (db *DB) runSteps(steps []Migration) error {
	return guard(func() error {
		return db.bolt.Update(func(btx *bolt.Tx) error {
			for _, m := range steps {
				tx := &Tx{bolt: btx, work: &work{bolt: btx, now: db.cfg.Now}}
				err := firstError(m.Do(tx), tx.err)
				tx.end()
				if err != nil {
					return fmt.Errorf("step from %d: %w", m.From, err)
				}
			}
			return writeMeta(btx, meta{id: db.id, schema: db.cfg.Schema})
		})
	})
}

const copySuffix = ".copy-"

// copyTo writes the store to name: first beside it, synced, then renamed, so
// that a file of that name is always whole.
func (db *DB) copyTo(name string) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(db.cfg.Path)+copySuffix+"*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone after the rename
	err = db.bolt.View(func(btx *bolt.Tx) error {
		_, err := btx.WriteTo(f)
		return err
	})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}
