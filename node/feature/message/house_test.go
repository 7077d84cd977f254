package message

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claudemesh/claudemesh/store"
)

// A store that takes nothing, as on a full disk, ends no part of the node: what is
// written now and then is tried again.
func TestAStoreThatTakesNothingEndsNothing(t *testing.T) {
	db, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "node.db"), Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	virtual(t, func(t *testing.T) {
		began := time.Now()
		mono := func() time.Duration { return time.Since(began) }
		f := &Feature{cfg: Config{DB: db, Now: time.Now, Mono: mono}, log: slog.New(slog.DiscardHandler), age: &age{base: ageStart, mono: mono}}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- f.keepHouse(ctx) }()
		time.Sleep(3 * pruneEvery)
		synctest.Wait()
		select {
		case err := <-ended:
			t.Error("housekeeping has ended:", err)
		default:
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error("housekeeping has not ended as it should:", err)
		}
	})
}
