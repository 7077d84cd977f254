package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

var background = context.Background()

// open opens a store at path, or in a folder of the test.
func open(t testing.TB, path string, change ...func(*Config)) *DB {
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
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// run starts the writer. The returned function ends it, closes the store and
// gives Run's error; the test's end does the same.
func run(t testing.TB, db *DB) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(background)
	ended := make(chan struct{})
	var result error
	go func() {
		defer close(ended)
		result = db.Run(ctx)
	}()
	stop = func() error {
		cancel()
		<-ended
		return errors.Join(result, db.Close())
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// start is open and run.
func start(t testing.TB, path string, change ...func(*Config)) (*DB, func() error) {
	t.Helper()
	db := open(t, path, change...)
	return db, run(t, db)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// set gives an operation that puts key = value into bucket "b".
func set(key, value string) func(*Tx) error {
	return func(tx *Tx) error { return tx.Bucket("b").Put([]byte(key), []byte(value)) }
}

// get reads what set wrote; "" if nothing.
func get(t testing.TB, db *DB, key string) string {
	t.Helper()
	var value string
	must(t, db.View(func(tx *Tx) error {
		value = string(tx.Bucket("b").Get([]byte(key)))
		return nil
	}))
	return value
}

// commits counts the transactions bbolt has made.
func commits(t testing.TB, db *DB) int {
	t.Helper()
	n := 0
	must(t, db.View(func(tx *Tx) error {
		n = tx.bolt.ID()
		return nil
	}))
	return n
}

func TestPutIsThereAfterReopening(t *testing.T) {
	db, stop := start(t, "")
	must(t, db.Update(background, func(tx *Tx) error {
		return tx.Bucket("a", "b").Put([]byte("k"), []byte("v"))
	}))
	id := db.ID()
	must(t, stop())
	db, _ = start(t, db.Path())
	if db.ID() != id || len(id) != 32 {
		t.Errorf("id changed from %q to %q", id, db.ID())
	}
	must(t, db.View(func(tx *Tx) error {
		if got := tx.Bucket("a", "b").Get([]byte("k")); string(got) != "v" {
			t.Errorf("got %q", got)
		}
		return nil
	}))
	must(t, db.Check())
}

// together queues the operations in order before the writer starts, so that
// they come into one commit, and gives their errors.
func together(t *testing.T, db *DB, ops ...func(*Tx) error) []error {
	t.Helper()
	errs := make([]error, len(ops))
	done := make(chan int)
	for i, op := range ops {
		go func() {
			errs[i] = db.Update(background, op)
			done <- i
		}()
		synctest.Wait() // it is queued
	}
	run(t, db)
	for range ops {
		<-done
	}
	return errs
}

func TestQueuedOperationsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, "")
		before := commits(t, db)
		var ops []func(*Tx) error
		for i := range 100 {
			ops = append(ops, set(fmt.Sprint(i), "v"))
		}
		for i, err := range together(t, db, ops...) {
			if err != nil || get(t, db, fmt.Sprint(i)) != "v" {
				t.Fatalf("operation %d: %v", i, err)
			}
		}
		if n := commits(t, db) - before; n != 1 {
			t.Errorf("%d commits", n)
		}
	})
}

func TestCommitIsBounded(t *testing.T) {
	for _, c := range []struct {
		name          string
		ops, size     int
		commits, last int
	}{
		{"operations", 2*maxOps + 1, 1, 3, 0},
		{"bytes", 12, 1 << 20, 3, 0}, // four of them reach 4 MiB
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := open(t, "")
				before := commits(t, db)
				value := strings.Repeat("x", c.size)
				var ops []func(*Tx) error
				for i := range c.ops {
					ops = append(ops, set(fmt.Sprint(i), value))
				}
				for _, err := range together(t, db, ops...) {
					must(t, err)
				}
				if n := commits(t, db) - before; n != c.commits {
					t.Errorf("%d commits, want %d", n, c.commits)
				}
			})
		})
	}
}

var errTest = errors.New("test")

// A failing operation leaves nothing behind and harms nobody in its commit.
func TestFailingOperationIsLeftOut(t *testing.T) {
	failures := map[string]struct {
		op   func(*Tx) error
		want error
	}{
		"before writing": {func(tx *Tx) error { return errTest }, errTest},
		"after writing":  {func(tx *Tx) error { _ = set("bad", "x")(tx); return errTest }, errTest},
		"in a write":     {func(tx *Tx) error { _ = tx.Bucket("b").Put(nil, nil); return set("bad", "x")(tx) }, nil},
		"bucket name":    {func(tx *Tx) error { tx.Bucket("\x00meta"); return set("bad", "x")(tx) }, ErrName},
		"panic":          {func(tx *Tx) error { _ = set("bad", "x")(tx); panic(errTest) }, errTest},
		"nil pointer":    {func(tx *Tx) error { _ = set("bad", "x")(tx); var none *op; return none.fn(tx) }, nil},
		"new bucket":     {func(tx *Tx) error { tx.Bucket("other"); return errTest }, errTest},
	}
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := open(t, "")
				before := commits(t, db)
				var called []string
				note := func(name string, op func(*Tx) error) func(*Tx) error {
					return func(tx *Tx) error {
						tx.OnCommit(func() { called = append(called, name) })
						return op(tx)
					}
				}
				errs := together(t, db, note("a", set("a", "1")), note("bad", f.op), note("c", set("c", "3")))
				if errs[0] != nil || errs[2] != nil || errs[1] == nil {
					t.Fatalf("errors: %v", errs)
				}
				if f.want != nil {
					wantErr(t, errs[1], f.want)
				}
				if get(t, db, "a") != "1" || get(t, db, "c") != "3" || get(t, db, "bad") != "" {
					t.Error("the wrong ones were stored")
				}
				if !slices.Equal(called, []string{"a", "c"}) {
					t.Errorf("callbacks: %v", called)
				}
				if n := commits(t, db) - before; n != 1 {
					t.Errorf("%d commits", n)
				}
				must(t, db.View(func(tx *Tx) error {
					if tx.Bucket("other").Exists() {
						t.Error("a bucket stayed")
					}
					return nil
				}))
				must(t, db.Check())
			})
		})
	}
}

// However many fail after writing, each good operation is stored once.
func TestManyFailingOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, "")
		runs := 0
		var ops []func(*Tx) error
		for i := range 300 {
			ops = append(ops, func(tx *Tx) error {
				runs++
				tx.Bucket("b").Sequence()
				if err := set(fmt.Sprint(i), "v")(tx); err != nil || i%3 > 0 {
					return err
				}
				return errTest
			})
		}
		for i, err := range together(t, db, ops...) {
			if failed := i%3 == 0; failed != (err != nil) || failed == (get(t, db, fmt.Sprint(i)) == "v") {
				t.Errorf("operation %d: %v", i, err)
			}
		}
		must(t, db.View(func(tx *Tx) error {
			if n := tx.Bucket("b").Sequence(); n != 200 {
				t.Errorf("counted %d", n)
			}
			return nil
		}))
		if runs > 6000 {
			t.Errorf("%d runs for 300 operations", runs)
		}
	})
}

func TestOnlyReadingCommitsNothing(t *testing.T) {
	db, _ := start(t, "")
	before := commits(t, db)
	called := false
	must(t, db.Update(background, func(tx *Tx) error {
		tx.OnCommit(func() { called = true })
		return nil
	}))
	if n := commits(t, db) - before; n != 0 || !called {
		t.Errorf("%d commits, callback: %v", n, called)
	}
}

func TestCallbacksRunInOrderBeforeUpdateReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, "")
		var order []int
		var ops []func(*Tx) error
		for i := range 10 {
			ops = append(ops, func(tx *Tx) error {
				tx.OnCommit(func() { order = append(order, 2*i) })
				tx.OnCommit(func() {
					order = append(order, 2*i+1)
					if i == 3 {
						panic("a callback's panic is logged")
					}
				})
				return set(fmt.Sprint(i), "v")(tx)
			})
		}
		for _, err := range together(t, db, ops...) {
			must(t, err)
		}
		if !slices.IsSorted(order) || len(order) != 20 {
			t.Errorf("order: %v", order)
		}
	})
}

func TestCancelledBeforeItWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, "")
		ctx, cancel := context.WithCancel(background)
		result := make(chan error)
		go func() { result <- db.Update(ctx, set("k", "v")) }()
		synctest.Wait()
		cancel()
		wantErr(t, <-result, context.Canceled)
		wantErr(t, db.Update(ctx, set("k", "v")), context.Canceled)
		run(t, db)
		must(t, db.Update(background, set("other", "v")))
		if get(t, db, "k") != "" {
			t.Error("it ran")
		}
	})
}

func TestCancelledAfterItWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, _ := start(t, "")
		ctx, cancel := context.WithCancel(background)
		must(t, db.Update(ctx, func(tx *Tx) error {
			cancel()
			return set("k", "v")(tx)
		}))
		if get(t, db, "k") != "v" {
			t.Error("it was not stored")
		}
	})
}

func TestRunEndsWithEverythingQueuedCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, "")
		results := make(chan error, 50)
		for i := range 50 {
			go func() { results <- db.Update(background, set(fmt.Sprint(i), "v")) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(background)
		cancel()
		must(t, db.Run(ctx))
		for range 50 {
			must(t, <-results)
		}
		wantErr(t, db.Update(background, set("late", "v")), ErrClosed)
		if get(t, db, "49") != "v" || get(t, db, "late") != "" {
			t.Error("the wrong ones were stored")
		}
		wantErr(t, db.Run(background), ErrRunning)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, "")
		result := make(chan error)
		go func() { result <- db.Update(background, set("k", "v")) }()
		synctest.Wait()
		more := db.Feed().Wait()
		must(t, db.Close())
		wantErr(t, <-result, ErrClosed)
		<-more
		<-db.Feed().Wait()
		wantErr(t, db.View(func(*Tx) error { return nil }), ErrClosed)
		wantErr(t, db.Update(background, set("k", "v")), ErrClosed)
		wantErr(t, db.Check(), ErrClosed)
		wantErr(t, db.Run(background), ErrClosed)
		must(t, db.Close())
	})
}

func TestCloseEndsTheWriter(t *testing.T) {
	db := open(t, "")
	ended := make(chan error)
	go func() { ended <- db.Run(background) }()
	must(t, db.Update(background, set("k", "v")))
	must(t, db.Close())
	must(t, <-ended)
}

// An operation that ends its goroutine takes the writer with it, and that is
// a failure, not a hang.
func TestGoexitInAnOperation(t *testing.T) {
	db := open(t, "")
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- db.Run(background)
	}()
	wantErr(t, db.Update(background, func(*Tx) error { runtime.Goexit(); return nil }), ErrFailed)
	<-ended
	wantErr(t, db.Update(background, set("k", "v")), ErrFailed)
}
