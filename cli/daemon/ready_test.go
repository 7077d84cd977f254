package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// When the time is over while the node is asked, what is told is why the start failed, and
// not that something took too long.
func TestTheTimeEndsWhileTheNodeIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{
			Probe: func(ctx context.Context) (State, error) {
				<-ctx.Done()
				return State{}, ctx.Err()
			},
			Absent: func(error) bool { return false },
		})
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, ErrSlow)
		defer cancel()
		_, err := c.takenFirst(ctx, Failure{Code: codeTaken, Message: "the store is in use"})
		var failed *StartError
		if !errors.As(err, &failed) || failed.Message != "the store is in use" {
			t.Errorf("told %v", err)
		}
	})
}
