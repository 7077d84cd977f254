package powercut_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/test/powercut"
)

const (
	writers = 4
	each    = 60
)

// with opens the store in dir, runs its writer and closes both.
func with(cfg store.Config, fn func(db *store.DB) error) (err error) {
	db, err := store.Open(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-ended, db.Close())
	}()
	return fn(db)
}

func config(dir string) store.Config {
	return store.Config{Path: filepath.Join(dir, "store.db"), Schema: 1}
}

func update(db *store.DB, fn func(tx *store.Tx) error) error {
	return db.Update(context.Background(), fn)
}

// put writes the key twice: both are there or none.
func put(tx *store.Tx, id string) error {
	value := make([]byte, 300+len(id))
	copy(value, id)
	tx.Append(store.Change{Topic: "put", Data: []byte(id)})
	return errors.Join(
		tx.Bucket("keys").Put([]byte(id), value),
		tx.Bucket("index", id[:1]).Put([]byte(id), binary.BigEndian.AppendUint64(nil, uint64(len(value)))),
	)
}

// concurrently has several writers write and promise their keys.
func concurrently(one func(id string) error) error {
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				if errs[w] = one(fmt.Sprintf("%d-%d", w, n)); errs[w] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// storeChild promises each key after its Update has returned.
func storeChild(dir string) error {
	return with(config(dir), func(db *store.DB) error {
		return concurrently(func(id string) error {
			if err := update(db, func(tx *store.Tx) error { return put(tx, id) }); err != nil {
				return err
			}
			return powercut.Ack(dir, id)
		})
	})
}

// earlyChild is a control: it promises before the commit.
func earlyChild(dir string) error {
	return with(config(dir), func(db *store.DB) error {
		return concurrently(func(id string) error {
			return errors.Join(powercut.Ack(dir, id), update(db, func(tx *store.Tx) error { return put(tx, id) }))
		})
	})
}

// noSyncChild is a control: bbolt without syncs writes to the store's file.
func noSyncChild(dir string) error {
	if err := with(config(dir), func(*store.DB) error { return nil }); err != nil {
		return err
	}
	b, err := bolt.Open(config(dir).Path, 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	for n := range writers * each {
		id := fmt.Sprintf("%d-%d", n%writers, n/writers)
		err := b.Update(func(tx *bolt.Tx) error {
			keys, err := tx.CreateBucketIfNotExists([]byte("keys"))
			if err != nil {
				return err
			}
			return keys.Put([]byte(id), make([]byte, 300))
		})
		if err == nil {
			err = powercut.Ack(dir, id)
		}
		if err != nil {
			return err
		}
	}
	return b.Close()
}

// storeCheck wants a sound store that has every promised key and works.
func storeCheck(dir string, acked []string) error {
	return with(config(dir), func(db *store.DB) error {
		for _, err := range []error{db.Check(), has(db, acked)} {
			if err != nil {
				return err // what is unsound is not worked with
			}
		}
		return works(db)
	})
}

func has(db *store.DB, acked []string) error {
	return db.View(func(tx *store.Tx) error {
		for _, id := range acked {
			if tx.Bucket("keys").Get([]byte(id)) == nil {
				return fmt.Errorf("key %s was promised and is lost", id)
			}
		}
		return nil
	})
}

// halves wants no operation done by half: a key, its index entry and its feed
// entry are there together.
func halves(db *store.DB) error {
	fed := map[string]bool{}
	changes, _, _, err := db.Feed().Since(0, nil, 1<<20)
	for _, c := range changes {
		fed[string(c.Data)] = true
	}
	return errors.Join(err, db.View(func(tx *store.Tx) error {
		keys := 0
		var bad error
		tx.Bucket("keys").Ascend(nil, func(k, v []byte) bool {
			keys++
			n := tx.Bucket("index", string(k[:1])).Get(k)
			if len(n) != 8 || int(binary.BigEndian.Uint64(n)) != len(v) || !fed[string(k)] {
				bad = fmt.Errorf("key %s is there by half", k)
			}
			return bad == nil
		})
		if bad == nil && keys != len(fed) {
			bad = fmt.Errorf("%d keys but %d feed entries", keys, len(fed))
		}
		return bad
	}))
}

func works(db *store.DB) error {
	err := update(db, func(tx *store.Tx) error { return tx.Bucket("after").Put([]byte("k"), make([]byte, 10_000)) })
	return errors.Join(err, db.View(func(tx *store.Tx) error {
		if len(tx.Bucket("after").Get([]byte("k"))) != 10_000 {
			return errors.New("what was written after the cut cannot be read")
		}
		return nil
	}), db.Check())
}

func TestStore(t *testing.T) {
	r := powercut.Run(t, powercut.Config{
		Child: powercut.Self("store"),
		Seed:  1,
		Check: func(dir string, acked []string) error {
			if err := storeCheck(dir, acked); err != nil {
				return err
			}
			return with(config(dir), halves)
		},
	})
	if r.Exit != nil || len(r.Acks) != writers*each {
		t.Fatalf("child: %v, %d acks\n%s", r.Exit, len(r.Acks), r.Output)
	}
	t.Logf("%d events, %d cuts", r.Events, r.Cuts)
}

// The harness must catch a store that does not sync and one that
// acknowledges too early.
func TestControlsAreCaught(t *testing.T) {
	for _, child := range []string{"nosync", "early"} {
		t.Run(child, func(t *testing.T) {
			r := powercut.Survey(t, powercut.Config{Child: powercut.Self(child), Seed: 1, Check: storeCheck})
			if r.Exit != nil || len(r.Acks) != writers*each {
				t.Fatalf("child: %v, %d acks\n%s", r.Exit, len(r.Acks), r.Output)
			}
			t.Logf("%d of %d cuts caught it", len(r.Failures), r.Cuts)
			if 2*len(r.Failures) < r.Cuts {
				t.Error("that is not enough")
			}
		})
	}
}

// migrateChild fills a store of schema 1 and opens it with schema 2.
func migrateChild(dir string) error {
	err := with(config(dir), func(db *store.DB) error {
		for n := range 20 {
			id := fmt.Sprintf("0-%d", n)
			if err := update(db, func(tx *store.Tx) error { return put(tx, id) }); err != nil {
				return err
			}
			if err := powercut.Ack(dir, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return with(migrated(dir), func(*store.DB) error { return powercut.Ack(dir, "migrated") })
}

// migrated moves every key to another bucket.
func migrated(dir string) store.Config {
	cfg := config(dir)
	cfg.Schema = 2
	cfg.Migrate = []store.Migration{{From: 1, Do: func(tx *store.Tx) error {
		tx.Bucket("keys").Ascend(nil, func(k, v []byte) bool {
			_ = tx.Bucket("moved").Put(k, v)
			return tx.Bucket("keys").Delete(k) == nil
		})
		return nil
	}}}
	return cfg
}

func TestMigration(t *testing.T) {
	r := powercut.Run(t, powercut.Config{
		Child: powercut.Self("migrate"),
		Seed:  2,
		Check: func(dir string, acked []string) error {
			if n := len(acked); n > 0 && acked[n-1] == "migrated" {
				if _, err := os.Stat(filepath.Join(dir, "store.db.schema-1")); err != nil {
					return err
				}
				acked = acked[:n-1]
			}
			return with(migrated(dir), func(db *store.DB) error {
				if err := db.Check(); err != nil {
					return err
				}
				return db.View(func(tx *store.Tx) error {
					for _, id := range acked {
						if tx.Bucket("moved").Get([]byte(id)) == nil {
							return fmt.Errorf("key %s is lost", id)
						}
					}
					return nil
				})
			})
		},
	})
	if r.Exit != nil || len(r.Acks) != 21 {
		t.Fatalf("child: %v, %d acks\n%s", r.Exit, len(r.Acks), r.Output)
	}
}
