//go:build agents

package agents

import (
	"strings"
	"testing"
	"time"
)

// listLimit is how long `claude mcp list` may take, of which most is its own start.
const listLimit = 5 * time.Second

// `claude mcp list` starts the server, which must answer at once.
func TestClaudeListsTheServerAsConnected(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	c := newClaude(ctx, t, w.ana, silent)
	out := c.run(ctx, "mcp", "list")
	for n := 1; n < 5 && out.Took > listLimit; n++ { // of a busy machine the best run tells
		out = c.run(ctx, "mcp", "list")
	}
	t.Logf("took %v:\n%s", out.Took, out.Stdout)
	if out.Status != 0 || !strings.Contains(out.Stdout, "claudemesh") || !strings.Contains(out.Stdout, "Connected") {
		t.Errorf("status %d: %s%s", out.Status, out.Stdout, out.Stderr)
	}
	if out.Took > listLimit {
		t.Errorf("it took %v", out.Took)
	}
}
