//go:build agents

package agents

import (
	"context"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/agents/modelapi"
)

// interactive starts Claude Code in a terminal, with channels, and waits for its
// prompt.
func (c *claude) interactive(ctx context.Context, args ...string) *terminal {
	c.t.Helper()
	command := append([]string{claudeBin, "--dangerously-load-development-channels", "server:claudemesh",
		"--allowedTools", "mcp__claudemesh"}, args...)
	tm := newTerminal(ctx, c.t, c.env, c.work, "tmux", command...)
	return tm
}

func TestAnIdleClaudeIsGivenMessages(t *testing.T) {
	t.Parallel()
	ctx := within(t, 20*time.Second)
	w := newWorld(ctx, t)
	c := newClaude(ctx, t, w.ana, func(r modelapi.Request) modelapi.Reply { return modelapi.Say("ok") })
	tm := c.interactive(ctx, "--debug-file", "/tmp/ag/dbg2")
	for i := range 8 {
		time.Sleep(time.Second)
		t.Logf("%d\n%s", i, tm.screen(ctx))
		if i == 2 {
			tm.press(ctx, "Enter")
		}
	}
	for _, r := range c.api.Requests() {
		t.Logf("%s", r.User())
	}
}
