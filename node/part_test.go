package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// trace records what happened in order.
type trace struct {
	mu   sync.Mutex
	list []string
}

func (t *trace) add(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, s)
}

func (t *trace) waits(name string) part {
	return part{name: name, run: func(ctx context.Context) error {
		<-ctx.Done()
		t.add("stop " + name)
		return ctx.Err()
	}}
}

func TestPartsStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr trace
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- live(ctx, slog.New(slog.DiscardHandler), []part{tr.waits("store"), tr.waits("host"), tr.waits("api")})
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if want := []string{"stop api", "stop host", "stop store"}; !slices.Equal(tr.list, want) {
			t.Errorf("got %v, want %v", tr.list, want)
		}
	})
}

func TestAFailedPartStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		starts := make(chan struct{}, 10)
		done := make(chan error, 1)
		go func() {
			done <- live(ctx, slog.New(slog.DiscardHandler), []part{{name: "flaky", run: func(ctx context.Context) error {
				starts <- struct{}{}
				if len(starts) < 3 {
					return errors.New("broken")
				}
				<-ctx.Done()
				return ctx.Err()
			}}})
		}()
		synctest.Wait()
		for len(starts) < 3 {
			// virtual time passes while everything waits
			timeout(t, firstRestart)
		}
		cancel()
		<-done
	})
}

func TestAVitalPartEndsTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr trace
		broken := errors.New("disk is gone")
		err := live(t.Context(), slog.New(slog.DiscardHandler), []part{
			tr.waits("host"),
			{name: "store", vital: true, run: func(context.Context) error { return broken }},
		})
		if !errors.Is(err, broken) || !slices.Equal(tr.list, []string{"stop host"}) {
			t.Errorf("got %v, %v", err, tr.list)
		}
	})
}

// timeout lets virtual time pass.
func timeout(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}
