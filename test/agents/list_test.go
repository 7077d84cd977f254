//go:build agents

package agents

import (
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/agents/modelapi"
)

// silent is a model that has nothing to say.
func silent(modelapi.Request) modelapi.Reply { return modelapi.Say("ok") }

// `claude mcp list` starts the server, which must answer at once.
func TestClaudeListsTheServerAsConnected(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	w := newWorld(ctx, t)
	c := newClaude(ctx, t, w.ana, silent)
	out := c.run(ctx, "mcp", "list")
	t.Logf("took %v:\n%s", out.Took, out.Stdout)
	if out.Status != 0 || !strings.Contains(out.Stdout, "claudemesh") || !strings.Contains(out.Stdout, "Connected") {
		t.Errorf("status %d: %s%s", out.Status, out.Stdout, out.Stderr)
	}
	out = c.run(ctx, "-p", "hello", "--debug-file", "/tmp/ag/dbg")
	t.Logf("%+v", out)
	for _, r := range c.api.Requests() {
		for _, tool := range r.Tools {
			t.Log(tool.Name)
		}
		for _, m := range r.Messages {
			t.Logf("%s: %s", m.Role, m.Content.Text())
		}
	}
}
