package node

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever makes up gaps in its log does not keep beacons and messages from being judged.
func TestFewRecordsLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &syncs{}
		ctx, cancel := context.WithCancel(t.Context())
		var refused atomic.Int32
		var wg sync.WaitGroup
		for range 3 * mostLingering {
			wg.Go(func() {
				if !s.linger(ctx, time.Hour) && ctx.Err() == nil {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != 2*mostLingering {
			t.Errorf("%d were refused", n)
		}
		cancel()
		wg.Wait()
		if !s.linger(t.Context(), time.Millisecond) {
			t.Error("no room after they ended")
		}
	})
}
