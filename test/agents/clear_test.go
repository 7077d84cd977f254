//go:build agents

package agents

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
)

// hooked is what Claude Code tells a hook at the start of a session.
type hooked struct {
	Session string `json:"session_id"`
	Source  string `json:"source"`
}

// noteStarts makes Claude Code write down its session ids.
func (c *claude) noteStarts() {
	c.t.Helper()
	c.write(filepath.Join(c.home, ".claude", "settings.json"), map[string]any{"hooks": map[string]any{
		"SessionStart": []any{map[string]any{"hooks": []any{
			map[string]any{"type": "command", "command": "(tr -d '\\n'; echo) >> '" + c.starts() + "'", "timeout": 10},
		}}},
	}})
}

func (c *claude) starts() string { return filepath.Join(c.home, "starts") }

// awaitStart waits until a session has begun in that way, and returns its id.
func (c *claude) awaitStart(ctx context.Context, source string) string {
	c.t.Helper()
	var id string
	must(c.t, harness.Until(ctx, func() (bool, any, error) {
		text, err := os.ReadFile(c.starts())
		if err != nil && !os.IsNotExist(err) {
			return false, nil, err
		}
		for line := range strings.Lines(string(text)) {
			var h hooked
			if json.Unmarshal([]byte(line), &h) == nil && h.Source == source {
				id = h.Session
			}
		}
		return id != "", string(text), nil
	}))
	return id
}

// sessions are the sessions of a member as another user's `peers --json` lists them.
func sessions(ctx context.Context, t *testing.T, h *harness.Home, member string) []presence.Peer {
	t.Helper()
	out, err := listSessions(ctx, h, member)
	must(t, err)
	return out
}

func listSessions(ctx context.Context, h *harness.Home, member string) ([]presence.Peer, error) {
	var listed presence.PeersResponse
	if err := h.JSON(ctx, &listed, "peers"); err != nil {
		return nil, err
	}
	var out []presence.Peer
	for _, m := range listed.Meshes {
		for _, p := range m.Peers {
			if p.Member == member && p.Session != "" {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// awaitOne waits until another user sees one session of a member.
func awaitOne(ctx context.Context, t *testing.T, h *harness.Home, member string) presence.Peer {
	t.Helper()
	var one presence.Peer
	must(t, harness.Until(ctx, func() (bool, any, error) {
		list, err := listSessions(ctx, h, member)
		if err != nil { // of a node on a busy machine
			return false, err, nil
		}
		if len(list) == 1 {
			one = list[0]
		}
		return len(list) == 1, list, nil
	}))
	return one
}

// welcomes are the messages that told a session who it is.
func welcomes(r modelapi.Request) []shown {
	return slices.DeleteFunc(channels(r), func(s shown) bool { return !welcome(s) })
}

func TestASessionKeepsItsIdentityOverClear(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	bo := agent(ctx, t, w.bo, "bo's")
	c := newClaude(ctx, t, w.ana, silent)
	c.noteStarts()
	terminal := c.interactive(ctx)
	awaitShown(ctx, t, c.api, welcome)
	was, first, before := c.awaitStart(ctx, "startup"), server(t, w.ana), awaitOne(ctx, t, w.bo, anaName)

	same := func(when string) {
		t.Helper()
		list := sessions(ctx, t, w.bo, anaName)
		if len(list) != 1 || list[0].Name != before.Name || list[0].Session != before.Session {
			t.Errorf("%s: was %s %s, is %+v", when, before.Name, before.Session, list)
		}
		// It is reached, under the key it had.
		id := send(ctx, t, bo, before.Session, "still you, "+when+"?")
		awaitShown(ctx, t, c.api, withID(id))
	}
	same("before")

	terminal.enter(ctx, "/clear")
	is := c.awaitStart(ctx, "clear")
	if is == was {
		t.Fatalf("the agent session is still %s", is)
	}
	if pid := server(t, w.ana); pid != first {
		t.Errorf("the server was restarted: %d, now %d", first, pid)
	}
	same("after /clear")

	// What a SessionStart hook tells the node; then the client restarts the server,
	// with its new session id in the environment.
	raw, err := json.Marshal(presence.AliasRequest{AgentSession: was, New: is})
	must(t, err)
	must(t, w.ana.JSON(ctx, &presence.AliasResponse{}, "call", presence.Alias.ID, string(raw)))
	shownBefore := len(c.api.Requests())
	terminal.enter(ctx, "/mcp reconnect claudemesh")
	awaitOther(ctx, t, w.ana, first)
	again, err := c.api.Await(ctx, shownBefore, func(r modelapi.Request) bool { return len(welcomes(r)) > 0 })
	must(t, err)
	for _, s := range welcomes(again) {
		if s.attrs["self_display_name"] != before.Name || s.attrs["self_session_pubkey"] != before.Session {
			t.Errorf("the session is told it is %s %s", s.attrs["self_display_name"], s.attrs["self_session_pubkey"])
		}
	}
	same("after a new server")
}
