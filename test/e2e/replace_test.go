package e2e

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// Bug catalogue, line 24: an agent that connects again under the same session id
// takes the place of the connection before, whether that was killed or still stands.
// At no moment is it listed twice, here or elsewhere, and its mail comes once.
func TestAReconnectReplaces(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, anaHome, boHome := pair(ctx, t)
	bo := agent(ctx, t, boHome, "bo's")
	first := agent(ctx, t, anaHome, "the same")
	awaitPeers(ctx, t, bo, "ana", "bo")
	key := self(ctx, t, first).Session
	twice := lookout(ctx, t, anaHome, boHome)
	current := first
	for round := range 6 {
		before := current
		if round%2 == 0 {
			before.Kill()
		}
		var err error
		if current, err = anaHome.Agent(ctx, harness.AgentConfig{Session: "the same"}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(current.Kill)
		if got := self(ctx, t, current).Session; got != key {
			t.Fatalf("round %d: another key: %s, not %s", round, got, key)
		}
		welcomed(ctx, t, current)
		id := send(ctx, t, bo, "ana", "are you the newest?", "")
		hear(ctx, t, current, id)
		if slices.Contains(heard(before), id) {
			t.Errorf("round %d: the connection before heard it as well", round)
		}
	}
	for _, list := range twice() {
		t.Errorf("listed as %v", list)
	}
}

// lookout lists the peers at several homes all the time and gives the lists in which
// one of ana's sessions stands twice.
func lookout(ctx context.Context, t *testing.T, homes ...*harness.Home) (stop func() [][]string) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	var mu sync.Mutex
	var bad [][]string
	looks := 0
	for _, h := range homes {
		all.Go(func() {
			for ctx.Err() == nil {
				out, err := presence.Peers.Call(ctx, h.API(), op.Caller{}, presence.PeersRequest{})
				if err != nil {
					continue
				}
				var names []string
				for _, p := range out.Meshes[0].Peers {
					if p.Member == anaName {
						names = append(names, p.Name+" "+p.State)
					}
				}
				mu.Lock()
				looks++
				if len(names) != 1 {
					bad = append(bad, names)
				}
				mu.Unlock()
			}
		})
	}
	return func() [][]string {
		cancel()
		all.Wait()
		t.Logf("looked %d times", looks)
		return bad
	}
}
