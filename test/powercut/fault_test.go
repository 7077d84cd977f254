package powercut_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/test/powercut"
)

// badSyncChild writes until something fails and then wants to be refused
// everywhere and told once.
func badSyncChild(dir string) error {
	var fatal atomic.Int32
	cfg := config(dir)
	cfg.Fatal = func(error) { fatal.Add(1) }
	db, err := store.Open(cfg)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- db.Run(context.Background()) }()
	for n := range each {
		id := fmt.Sprintf("0-%d", n)
		err := update(db, func(tx *store.Tx) error { return put(tx, id) })
		if err == nil {
			err = powercut.Ack(dir, id)
			if err == nil {
				continue
			}
		}
		runErr := <-ended
		view := db.View(func(*store.Tx) error { return nil })
		later := update(db, func(*store.Tx) error { return nil })
		_, _, _, feed := db.Feed().Since(0, nil, 1)
		for _, err := range []error{err, runErr, view, later, feed} {
			if !errors.Is(err, store.ErrFailed) || !errors.Is(err, syscall.EIO) {
				return fmt.Errorf("want the failure, got %v", err)
			}
		}
		if fatal.Load() != 1 {
			return fmt.Errorf("told %d times", fatal.Load())
		}
		fmt.Println("refused")
		return db.Close()
	}
	return errors.New("nothing failed")
}

// Wherever a sync fails, nobody is acknowledged, nothing can be read and the
// owner is told; what was acknowledged before survives the power cut too.
func TestFailedSyncIsFatal(t *testing.T) {
	for n := range 8 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var syncs atomic.Int32
			r := powercut.Run(t, powercut.Config{
				Child: powercut.Self("badsync"),
				Cuts:  8,
				Seed:  uint64(n),
				Check: storeCheck,
				Fault: func(op powercut.Op) syscall.Errno {
					// Creation syncs under another name; seven is in the midst.
					if op.Kind == powercut.OpSync && op.Name == "store.db" && int(syncs.Add(1)) == 7+n {
						return syscall.EIO
					}
					return 0
				},
			})
			if r.Exit != nil || !strings.Contains(r.Output, "refused") {
				t.Errorf("child: %v\n%s", r.Exit, r.Output)
			}
		})
	}
}

// fullDiskChild writes until the disk is full, reads then, and goes on
// writing when there is room again.
func fullDiskChild(dir string) error {
	return with(config(dir), func(db *store.DB) error {
		full := 0
		for n := range 400 {
			id := fmt.Sprintf("0-%d", n)
			err := update(db, func(tx *store.Tx) error { return put(tx, id) })
			switch {
			case err == nil:
				if err := powercut.Ack(dir, id); err != nil {
					return err
				}
			case errors.Is(err, store.ErrFull):
				full++
				err := db.View(func(tx *store.Tx) error {
					if tx.Bucket("keys").Get([]byte(id)) != nil {
						return errors.New("refused and stored")
					}
					return nil
				})
				if err != nil {
					return err
				}
			default:
				return err
			}
		}
		if full == 0 {
			return errors.New("the disk was never full")
		}
		return db.Check()
	})
}

func TestFullDiskIsNotFatal(t *testing.T) {
	var refused atomic.Int32
	r := powercut.Run(t, powercut.Config{
		Child: powercut.Self("fulldisk"),
		Cuts:  20,
		Check: storeCheck,
		Fault: func(op powercut.Op) syscall.Errno {
			if op.Kind == powercut.OpWrite && op.End > 128<<10 && refused.Add(1) < 20 {
				return syscall.ENOSPC
			}
			return 0
		},
	})
	if r.Exit != nil || len(r.Acks) < 300 {
		t.Errorf("child: %v, %d acks\n%s", r.Exit, len(r.Acks), r.Output)
	}
}

func TestFailedWriteIsFatal(t *testing.T) {
	var failed atomic.Bool
	r := powercut.Run(t, powercut.Config{
		Child: powercut.Self("badsync"),
		Cuts:  8,
		Check: storeCheck,
		Fault: func(op powercut.Op) syscall.Errno {
			if op.Kind == powercut.OpWrite && op.N > 60 && op.Name == "store.db" && failed.CompareAndSwap(false, true) {
				return syscall.EIO
			}
			return 0
		},
	})
	if r.Exit != nil {
		t.Errorf("child: %v\n%s", r.Exit, r.Output)
	}
}
