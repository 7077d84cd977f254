package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/test/harness"
)

// awaitName waits until an agent sees a session of that name, whoever else is there.
func awaitName(ctx context.Context, t *testing.T, a *harness.Agent, name string) {
	t.Helper()
	err := harness.Until(ctx, func() (bool, any, error) {
		peers, err := peersOf(ctx, a)
		return slices.ContainsFunc(peers, func(p presence.Peer) bool { return p.Name == name }), namesOf(peers), err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Catalogue 3: what one sends to oneself never came, since fan-out left out the
// sender. What a session sends to its own member's others, by name, through a group
// or to everybody, arrives although their process and the node were killed in
// between; it is not shown to the session that sent it. A reminder to oneself is a
// message of this kind with a time; those come with scheduling.
func TestWhatIsSentToOnesOwnArrivesAfterARestart(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, ana, _ := pair(ctx, t)
	first := agent(ctx, t, ana, "first")
	welcomed(ctx, t, first)
	second := agent(ctx, t, ana, "second")
	awaitPeers(ctx, t, first, "ana", "ana-2")
	for _, a := range []*harness.Agent{first, second} {
		if _, err := harness.Tool[presence.GroupResponse](ctx, a, "join_group", map[string]any{"name": "night"}); err != nil {
			t.Fatal(err)
		}
	}
	second.Kill()
	ids := []string{}
	for _, to := range []string{"ana-2", "@night", "*"} {
		ids = append(ids, send(ctx, t, first, to, "to "+to, ""))
	}
	ana.Kill()
	mustStart(ctx, t, ana)
	second = agent(ctx, t, ana, "second")
	for _, id := range ids {
		hear(ctx, t, second, id)
	}
	welcomed(ctx, t, first)
	for _, id := range heard(first) {
		if slices.Contains(ids, id) {
			t.Errorf("the sender was shown its own message %s", id)
		}
	}
}
