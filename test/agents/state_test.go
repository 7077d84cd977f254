//go:build agents

package agents

import (
	"context"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/harness"
)

// awaitDelivered waits until a message's only recipient has it.
func awaitDelivered(ctx context.Context, t *testing.T, a *harness.Agent, id string) {
	t.Helper()
	awaitState(ctx, t, a, id, message.Delivered)
}

// awaitState asks a message's sender until its only recipient is in that state.
func awaitState(ctx context.Context, t *testing.T, a *harness.Agent, id string, want message.State) {
	t.Helper()
	err := harness.Until(ctx, func() (bool, any, error) {
		r, err := harness.Tool[message.StatusResponse](ctx, a, "message_status", map[string]any{"id": id})
		if err != nil || len(r.Recipients) != 1 {
			return false, r, err
		}
		return r.Recipients[0].State == want, r.Recipients[0].State, nil
	})
	if err != nil {
		t.Fatalf("%s is not %s: %v", id, want, err)
	}
}
