package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	bolterrors "go.etcd.io/bbolt/errors"
)

// A commit that fails is the end: nobody is acknowledged, nothing is read or
// written any more, the owner is told once and may close at once.
func TestFailedCommitIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int32
		var db *DB
		db = open(t, "", func(c *Config) {
			c.Fatal = func(err error) {
				told.Add(1)
				wantErr(t, err, ErrFailed)
				_ = db.Close()
			}
		})
		must(t, db.file.Close()) // under bbolt
		more := db.Feed().Wait()
		ended := make(chan error)
		errs := make(chan error)
		for i := range 5 {
			go func() { errs <- db.Update(background, set(fmt.Sprint(i), "v")) }()
		}
		synctest.Wait()
		go func() { ended <- db.Run(background) }()
		for range 5 {
			wantErr(t, <-errs, ErrFailed)
		}
		<-more
		wantErr(t, <-ended, ErrFailed)
		wantErr(t, db.View(func(*Tx) error { t.Error("ran"); return nil }), ErrFailed)
		wantErr(t, db.Update(background, func(*Tx) error { t.Error("ran"); return nil }), ErrFailed)
		wantErr(t, db.Check(), ErrFailed)
		if told.Load() != 1 {
			t.Errorf("told %d times", told.Load())
		}
	})
}

// Readers wait while a commit can be seen but is not synced, and are refused
// if it never will be.
func TestViewWaitsForTheSync(t *testing.T) {
	for name, fails := range map[string]bool{"synced": false, "failed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := open(t, "")
				synced := db.horizon.synced
				db.horizon.synced-- // as if the last commit were in its sync
				var done atomic.Bool
				result := make(chan error, 1)
				go func() {
					result <- db.View(func(*Tx) error { return nil })
					done.Store(true)
				}()
				synctest.Wait()
				if done.Load() {
					t.Fatal("did not wait")
				}
				if fails {
					_ = db.fail(errTest)
					wantErr(t, <-result, ErrFailed)
					wantErr(t, db.View(func(*Tx) error { return nil }), errTest)
					return
				}
				db.horizon.advance(synced)
				must(t, <-result)
			})
		})
	}
}

// A file cut short under an open store is an error of the View that touches
// the missing part, and a failure.
func TestFileCutShortUnderTheStore(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut short on Windows")
	}
	told := make(chan error, 1)
	db, stop := start(t, filled(t), func(c *Config) { c.Fatal = func(err error) { told <- err } })
	must(t, os.Truncate(db.Path(), 2*int64(os.Getpagesize())))
	err := db.View(func(tx *Tx) error {
		tx.Bucket("b").Get([]byte("big"))
		return nil
	})
	wantErr(t, err, ErrBroken)
	wantErr(t, err, ErrFailed)
	wantErr(t, <-told, ErrBroken)
	wantErr(t, db.Update(background, set("k", "v")), ErrFailed)
	wantErr(t, stop(), ErrFailed)
	// The lock is gone although bbolt could not be closed.
	_, err = Open(Config{Path: db.Path(), Schema: 1, LockTimeout: 1})
	wantErr(t, err, ErrBroken)
}

func TestFullIsRecognized(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("other numbers on Windows")
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&os.PathError{Op: "write", Err: syscall.ENOSPC}, true},
		{syscall.EDQUOT, true},
		{errors.New("file resize error: truncate x: no space left on device"), true},
		{syscall.EIO, false},
		{bolterrors.ErrTxClosed, false},
	} {
		if full(c.err) != c.want || errors.Is(asFull(c.err), ErrFull) != c.want {
			t.Errorf("%v: want %v", c.err, c.want)
		}
	}
	if asFull(nil) != nil {
		t.Error("nil became an error")
	}
}

// Wherever a page of an open store is damaged, whoever meets it is told that the file
// is damaged, and not that somebody's code panicked; the store goes on.
func TestADamagedPageIsToldAsDamage(t *testing.T) {
	db, _ := start(t, filled(t))
	all := func(tx *Tx) error {
		tx.Bucket("b").Ascend(nil, func(_, _ []byte) bool { return true })
		return nil
	}
	info, err := db.file.Stat()
	must(t, err)
	page := int64(os.Getpagesize())
	met := 0
	for at := 2 * page; at < info.Size(); at += page {
		good := make([]byte, page)
		_, err := db.file.ReadAt(good, at)
		must(t, err)
		_, err = db.file.WriteAt(bytes.Repeat([]byte{0xa5}, int(page)), at)
		must(t, err)
		for _, err := range []error{db.View(all), db.Update(background, all)} {
			if err == nil {
				continue
			}
			met++
			wantErr(t, err, ErrBroken)
		}
		_, err = db.file.WriteAt(good, at)
		must(t, err)
	}
	if met < 2 {
		t.Error("no damaged page was met")
	}
	must(t, db.View(all))
	must(t, db.Update(background, set("k", "v")))
}
