package store

import (
	"context"
	"path/filepath"
	"testing"
)

// start opens a store in a folder of the test, or at path if given, and runs
// its writer until the test ends or stop is called.
func start(t testing.TB, path string, change ...func(*Config)) (db *DB, stop func() error) {
	t.Helper()
	cfg := Config{Path: path, Schema: 1}
	if path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "store.db")
	}
	for _, f := range change {
		f(&cfg)
	}
	db, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	var result error
	var once bool
	stop = func() error {
		if once {
			return result
		}
		once = true
		cancel()
		result = <-ended
		if err := db.Close(); result == nil {
			result = err
		}
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return db, stop
}

func TestPutIsThereAfterReopening(t *testing.T) {
	db, stop := start(t, "")
	err := db.Update(context.Background(), func(tx *Tx) error {
		return tx.Bucket("a", "b").Put([]byte("k"), []byte("v"))
	})
	if err != nil {
		t.Fatal(err)
	}
	id := db.ID()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	db, _ = start(t, db.Path())
	if db.ID() != id {
		t.Errorf("id changed from %s to %s", id, db.ID())
	}
	err = db.View(func(tx *Tx) error {
		if got := tx.Bucket("a", "b").Get([]byte("k")); string(got) != "v" {
			t.Errorf("got %q", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Check(); err != nil {
		t.Fatal(err)
	}
}
