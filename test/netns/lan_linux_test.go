package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
)

// A network that counts nothing proves nothing.
func TestTheSinkCounts(t *testing.T) {
	l := network(t, 1)
	quiet(t, l, 0)
	if err := l.stray(1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := harness.Until(ctx, func() (bool, any, error) {
		n, err := l.Leaked()
		return n == 2, n, err
	})
	if err != nil {
		t.Error(err)
	}
}

// quiet fails the test if other than so many packets have left the local network.
func quiet(t *testing.T, l *LAN, want uint64) {
	t.Helper()
	n, err := l.Leaked()
	if err != nil {
		t.Fatal(err)
	}
	if n != want {
		t.Errorf("%d packets left the local network", n-want)
	}
}

// All settings are what they are by default: mDNS is on, and so is asking the router
// for a port. Both are a matter of the local network.
func TestNothingLeavesTheLocalNetwork(t *testing.T) {
	watch := 5 * time.Second
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		watch = 90 * time.Second
	}
	l := network(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	pair(ctx, t, l)
	ctx, cancel = context.WithTimeout(t.Context(), watch)
	defer cancel()
	err := harness.Until(ctx, func() (bool, any, error) {
		n, err := l.Leaked()
		return n > 0, n, err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("something left the local network:", err)
	}
	quiet(t, l, 0)
}

// From the start of a node with a link to its first delivered message, as a person
// does it: two commands.
func TestFirstMessage(t *testing.T) {
	runs := 3
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		runs = 20
	}
	l := network(t, 2)
	var took []time.Duration
	for n := range runs {
		t.Run(fmt.Sprint(n+1), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			f, err := Meet(ctx, user(t, l, 1, "ana"), user(t, l, 2, "ben"))
			if err != nil {
				t.Fatal(err)
			}
			took = append(took, f.Delivered)
			t.Logf("joined after %v, accepted after %v, delivered after %v", short(f.Joined), short(f.Accepted), short(f.Delivered))
		})
	}
	quiet(t, l, 0)
	if len(took) == runs {
		slices.Sort(took)
		t.Logf("start with a link to first delivered message, %d runs: min %v, median %v, max %v",
			runs, short(took[0]), short(took[runs/2]), short(took[runs-1]))
	}
}

func short(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
