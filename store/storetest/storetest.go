// Package storetest gives tests stores that run and end with them, and runs properties over
// whole stores so often that a run of all tests stays short. It is for tests alone.
package storetest

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/store"
)

// New opens a store in a folder of its own and runs it until the test ends.
func New(t testing.TB) *store.DB {
	t.Helper()
	db, _ := Open(t, filepath.Join(t.TempDir(), "store.db"))
	return db
}

// Open opens the store in a file, of schema 1, and runs it until stop is called or the test
// ends. After stop the file can be opened again, as after a restart.
func Open(t testing.TB, path string) (db *store.DB, stop func()) {
	t.Helper()
	db, err := store.Open(store.Config{Path: path, Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := db.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("store: %v", err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := db.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	t.Cleanup(stop)
	return db, stop
}

// Main runs the tests of a package whose properties are over whole stores: each 25 times,
// and long times with CLAUDEMESH_LONG=1, unless -rapid.checks says otherwise. A goroutine
// that is left makes it fail.
func Main(m *testing.M, long int) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "rapid.checks" })
	checks := 25
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		checks = long
	}
	if !said {
		if err := flag.Set("rapid.checks", strconv.Itoa(checks)); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
