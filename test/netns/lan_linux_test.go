package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// A network that counts nothing proves nothing.
func TestTheSinkCounts(t *testing.T) {
	l := network(t, 1)
	quiet(t, l, 0)
	if err := l.stray(1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := harness.Until(ctx, func() (bool, any, error) {
		n, err := l.leaked()
		return n == 2, n, err
	})
	if err != nil {
		t.Error(err)
	}
}

// quiet fails the test if other than so many packets have left the local network.
func quiet(t *testing.T, l *lan, want uint64) {
	t.Helper()
	n, err := l.leaked()
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pair(ctx, t, l)
	ctx, cancel = context.WithTimeout(t.Context(), watch)
	defer cancel()
	err := harness.Until(ctx, func() (bool, any, error) {
		n, err := l.leaked()
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
		took = append(took, first(t, l, n))
	}
	quiet(t, l, 0)
	slices.Sort(took)
	t.Logf("start with a link to first delivered message, %d runs: min %v, median %v, max %v",
		runs, took[0].Round(time.Millisecond), took[runs/2].Round(time.Millisecond), took[runs-1].Round(time.Millisecond))
}

// first lets two people with nothing meet and one send the other a message.
func first(t *testing.T, l *lan, run int) (took time.Duration) {
	t.Run(fmt.Sprint(run+1), func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ana, ben := user(t, l, 1, "ana"), user(t, l, 2, "ben")
		link := invite(ctx, t, ana)
		began := time.Now()
		do(ctx, t, ben, &struct{}{}, "join", link, "--as", "ben")
		joined := time.Since(began)
		var sent message.SendResponse
		do(ctx, t, ben, &sent, "send", "ana", "hello")
		accepted := time.Since(began)
		delivered(ctx, t, ben, sent.ID)
		took = time.Since(began)
		t.Logf("joined after %v, message accepted after %v, delivered after %v",
			joined.Round(time.Millisecond), accepted.Round(time.Millisecond), took.Round(time.Millisecond))
	})
	return took
}

// do runs a command that must work.
func do(ctx context.Context, t *testing.T, h *harness.Home, answer any, args ...string) {
	t.Helper()
	if err := h.JSON(ctx, answer, args...); err != nil {
		t.Fatal(err)
	}
}

// invite makes a mesh and a link into it.
func invite(ctx context.Context, t *testing.T, h *harness.Home) string {
	t.Helper()
	var out mesh.InviteResponse
	do(ctx, t, h, &struct{}{}, "new", "atelier", "--as", h.Name)
	do(ctx, t, h, &out, "invite")
	return out.Link
}

// delivered waits until the sender has the receipt.
func delivered(ctx context.Context, t *testing.T, h *harness.Home, id string) {
	t.Helper()
	err := harness.Until(ctx, func() (bool, any, error) {
		out, err := message.Status.Call(ctx, h.API(), op.Caller{}, message.StatusRequest{ID: id})
		if err != nil {
			return false, nil, err
		}
		return out.Delivered, out.Recipients[0].State, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
