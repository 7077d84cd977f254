//go:build agents

package agents

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
)

// unset is Claude Code that knows nothing of claudemesh.
func unset(ctx context.Context, t *testing.T, h *harness.Home, model modelapi.Model) *claude {
	t.Helper()
	c := newClaude(ctx, t, h, model)
	c.configure() // without any server
	// What a user's shell has, a plain `claude` hands on to servers and hooks.
	c.env = append(c.env, "CLAUDEMESH_CONFIG_DIR="+h.Dir, "CLAUDEMESH_AUTOSTART=0")
	return c
}

// installed is Claude Code set up by `claudemesh install` instead of its own command.
func installed(ctx context.Context, t *testing.T, h *harness.Home, model modelapi.Model) *claude {
	t.Helper()
	c := unset(ctx, t, h, model)
	for _, want := range []string{"added", "unchanged"} {
		out := execute(ctx, t, c.env, c.work, bin, "install", "--agent", "claude")
		if out.Status != 0 || !strings.Contains(out.Stdout, want) {
			t.Fatalf("install: status %d: %s%s", out.Status, out.Stdout, out.Stderr)
		}
	}
	return c
}

// hookElement begins what the model was shown by a hook of ours.
const hookElement = `<channel source="claudemesh" via="hook"`

// After `claudemesh install` a plain `claude`, without channels, is on the mesh: its
// server is connected, others see it work, and a message reaches it once.
func TestInstallPutsPlainClaudeOnTheMesh(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	bo := agent(ctx, t, w.bo, "bo's")
	may := make(chan struct{})
	c := installed(ctx, t, w.ana, func(r modelapi.Request) modelapi.Reply {
		if strings.Contains(r.User(), "take your time") {
			select {
			case <-may:
			case <-ctx.Done():
			}
		}
		return modelapi.Say("ok")
	})
	out := c.run(ctx, "mcp", "list")
	if out.Status != 0 || !strings.Contains(out.Stdout, "claudemesh") || !strings.Contains(out.Stdout, "Connected") {
		t.Fatalf("status %d: %s%s", out.Status, out.Stdout, out.Stderr)
	}

	terminal := c.start(ctx)
	terminal.await(ctx, belowPrompt)
	awaitStatus(ctx, t, w.bo, "idle")
	id := send(ctx, t, bo, anaName, "is the parser green?")
	awaitState(ctx, t, bo, id, message.Delivered)
	// The push comes up to some seconds later, when the server has settled, and has ten
	// more to show that it arrived.
	time.Sleep(16 * time.Second)
	terminal.enter(ctx, "take your time")
	awaitStatus(ctx, t, w.bo, "working")
	close(may)
	r := hookBrings(ctx, t, c, terminal)
	if n := strings.Count(everything(r), "is the parser green?"); n != 1 {
		t.Errorf("the model was shown it %d times: %s", n, shorten(everything(r)))
	}
	awaitState(ctx, t, bo, id, message.Seen)
	awaitStatus(ctx, t, w.bo, "idle")

	// The next prompt does not bring it again.
	before := len(c.api.Requests())
	terminal.enter(ctx, "once more")
	next, err := c.api.Await(ctx, before, func(r modelapi.Request) bool { return strings.Contains(r.User(), "once more") })
	must(t, err)
	if n := strings.Count(everything(next), "is the parser green?"); n != 1 {
		t.Errorf("the model was shown it %d times", n)
	}
}

// hookBrings waits for the request with what a hook of ours handed out. Where the push
// came late, one of the next prompts brings it.
func hookBrings(ctx context.Context, t *testing.T, c *claude, terminal *terminal) modelapi.Request {
	t.Helper()
	for n := 1; ; n++ {
		soon, cancel := context.WithTimeout(ctx, 10*time.Second)
		r, err := c.api.Await(soon, 0, func(r modelapi.Request) bool { return strings.Contains(everything(r), hookElement) })
		cancel()
		if err == nil {
			return r
		}
		if ctx.Err() != nil {
			list := c.api.Requests()
			t.Fatalf("the model was not shown the message: %v: %s", err, everything(list[len(list)-1]))
		}
		terminal.enter(ctx, fmt.Sprintf("still there? %d", n))
	}
}

// everything is a conversation's text, whoever it is from: Claude Code gives what hooks
// add in the role of the system.
func everything(r modelapi.Request) string {
	var parts []string
	for _, m := range r.Messages {
		parts = append(parts, m.Content.Text())
	}
	return strings.Join(parts, "\n")
}

// awaitStatus waits until another user sees ana's session in a status.
func awaitStatus(ctx context.Context, t *testing.T, h *harness.Home, status string) {
	t.Helper()
	must(t, harness.Until(ctx, func() (bool, any, error) {
		list, err := listSessions(ctx, h, anaName)
		if err != nil { // of a node on a busy machine
			return false, err, nil
		}
		return len(list) == 1 && list[0].Status == status, list, nil
	}))
}

// What uninstall leaves is what was there before.
func TestUninstallLeavesClaudeAsItWas(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	c := installed(ctx, t, w.ana, silent)
	if out := execute(ctx, t, c.env, c.work, bin, "uninstall"); out.Status != 0 {
		t.Fatalf("%+v", out)
	}
	if out := c.run(ctx, "mcp", "list"); strings.Contains(out.Stdout, "claudemesh") {
		t.Errorf("it is still there: %s", out.Stdout)
	}
	if _, err := os.Stat(filepath.Join(c.home, ".claude", "settings.json")); !os.IsNotExist(err) {
		t.Errorf("settings are left: %v", err)
	}
}
