package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
)

// Closing answers who waits while others give up: each gets one answer.
func TestCloseWhileCallersGiveUp(t *testing.T) {
	for range 50 {
		db, err := Open(Config{Path: filepath.Join(t.TempDir(), "db"), Schema: 1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := db.Update(ctx, func(*Tx) error { return nil })
				if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) {
					t.Errorf("answered %v", err)
				}
			})
		}
		wg.Go(cancel)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}
