package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	fifty = 50
	looks = 200 // of each measurement, at least

	// rounds is long enough for two rounds of what a node does now and then about its
	// sessions, which must not hold up who asks meanwhile. stall is how long that may
	// take once in a while: far more than it does, and far less than a listing of
	// processes for each of fifty.
	rounds = 11 * time.Second
	stall  = 500 * time.Millisecond
)

// Bug catalogue, line 17: fifty sessions that are attached and ask all the time do
// not stall their node. What it takes a single client alone is the floor: fifty at
// once may wait for each other, each for its turn, and for nothing else. It runs alone,
// as it compares times.
func TestFiftySessionsDoNotStallTheirNode(t *testing.T) {
	ctx := within(t, 4*time.Minute)
	_, ana, bo := pair(ctx, t)
	alone, _ := measure(ctx, t, ana, 0)

	clients := make([]*local.Client, fifty)
	for i := range clients {
		// They have a process, so that the node looks whether it still runs.
		s, err := presence.Open.Call(ctx, ana.API(), op.Caller{}, presence.OpenRequest{
			AgentSession: fmt.Sprint("session ", i), PID: os.Getpid(), Cwd: fmt.Sprint("/project/", i),
		})
		if err != nil {
			t.Fatalf("session %d: %v", i, err)
		}
		clients[i] = ana.API().As(s.Token)
	}
	stop := attach(ctx, t, clients)
	idle, longest := measure(ctx, t, ana, rounds)

	ask, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	var mu sync.Mutex
	asked := 0
	for _, c := range clients {
		asking.Go(func() {
			for ask.Err() == nil {
				_, err := presence.Peers.Call(ask, c, op.Caller{}, presence.PeersRequest{})
				if err != nil && ask.Err() == nil {
					t.Error(err)
					return
				}
				mu.Lock()
				asked++
				mu.Unlock()
			}
		})
	}
	busy, _ := measure(ctx, t, ana, 0)
	// A message from another node gets through meanwhile.
	id := sendAs(ctx, t, bo, "ana-50")
	err := harness.Until(ctx, func() (bool, any, error) {
		out, err := message.Status.Call(ctx, bo.API(), op.Caller{}, message.StatusRequest{ID: id})
		return err == nil && out.Delivered, out, err
	})
	if err != nil {
		t.Error(err)
	}
	cancel()
	asking.Wait()
	stop()
	t.Logf("list_peers: alone %v, beside %d idle sessions %v (slowest but one %v), beside %d that ask all the time (%d times) %v",
		alone, fifty, idle, longest, fifty, asked, busy)
	if longest > stall {
		t.Errorf("beside %d attached sessions a call takes %v again and again", fifty, longest)
	}
	// Listing fifty costs fifty times what listing none does, at the most.
	if idle > fifty*alone {
		t.Errorf("%d attached sessions make one call take %v instead of %v", fifty, idle, alone)
	}
	// Fifty clients and their node share a machine that is perhaps busy with others.
	if turns := fifty * idle; busy > 4*turns {
		t.Errorf("a call takes %v beside %d sessions that ask, one after the other would be %v", busy, fifty, turns)
	}
}

// measure is the median of how long a call takes, and what the slowest but one took: a
// single one may have met a hiccup of the machine.
func measure(ctx context.Context, t *testing.T, h *harness.Home, least time.Duration) (median, slow time.Duration) {
	t.Helper()
	var took []time.Duration
	for start := time.Now(); len(took) < looks || time.Since(start) < least; {
		began := time.Now()
		if _, err := presence.Peers.Call(ctx, h.API(), op.Caller{}, presence.PeersRequest{}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)-2]
}

// attach has sessions follow their feeds and waits until all are welcome.
func attach(ctx context.Context, t *testing.T, clients []*local.Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	welcome := make(chan struct{}, 4*len(clients))
	for _, c := range clients {
		following.Go(func() {
			_ = c.Follow(ctx, op.Caller{}, "", func(e op.Event) error { // ends with ctx
				if e.Topic == op.TopicWelcome {
					welcome <- struct{}{}
				}
				return nil
			})
		})
	}
	for range clients {
		select {
		case <-welcome:
		case <-ctx.Done():
			t.Fatal("not all are attached")
		}
	}
	return func() { cancel(); following.Wait() }
}

// sendAs sends as the person at a home's terminal.
func sendAs(ctx context.Context, t *testing.T, h *harness.Home, to string) string {
	t.Helper()
	var sent message.SendResponse
	err := harness.Until(ctx, func() (bool, any, error) {
		err := h.JSON(ctx, &sent, "send", to, "are you busy?")
		return err == nil, err, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sent.ID
}
