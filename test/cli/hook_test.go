//go:build unix

package cli_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/harness"
)

// hung is when a hook counts as hung, also on a busy machine. How long an agent waits is
// measured in hooktime_test.go.
const hung = 30 * time.Second

// hooked runs a hook with what an agent says on its stdin. What a hook has to tell and
// cannot in time it leaves: who needs its effect calls it until that is there.
func hooked(t *testing.T, dir, event string, input any) string {
	t.Helper()
	raw, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), hung)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "hook", event)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(dir), "CLAUDEMESH_CONFIG_DIR=" + dir}
	cmd.Stdin = strings.NewReader(string(raw))
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Errorf("hook %s: %v, stderr %q", event, err, said.String())
	}
	return out.String()
}

// handedOut is what the end of a turn brings of a message. It has been brought when its
// sender is told: a hook that had no time left to say so brings it again later.
func handedOut(ctx context.Context, t *testing.T, h *harness.Home, session, id string) (got string) {
	t.Helper()
	if err := harness.Until(ctx, func() (bool, any, error) {
		if out := hooked(t, h.Dir, "stop", event{"session_id": session}); out != "" {
			got = out
		}
		s, err := stateOf(ctx, h, id)
		return got != "" && s == string(message.Seen), got + s, err
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// stateOf is what became of a message to one recipient.
func stateOf(ctx context.Context, h *harness.Home, id string) (string, error) {
	var out message.StatusResponse
	if err := h.JSON(ctx, &out, "msg-status", id); err != nil || len(out.Recipients) != 1 {
		return "", err
	}
	return string(out.Recipients[0].State), nil
}

type event map[string]any

// What the hooks of an agent tell reaches the session that the agent's server opened,
// also after it took another id.
func TestHooksOfASession(t *testing.T) {
	ctx, h := limited(t), newHome(t)
	if out, err := h.Command(ctx, "new", "one"); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	a, err := h.Agent(ctx, harness.AgentConfig{Session: "s-1", Name: "robin"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CallTool(ctx, "list_peers", map[string]any{}); err != nil {
		t.Fatal(err)
	}
	status := func(want string, tell func()) {
		t.Helper()
		err := harness.Until(ctx, func() (bool, any, error) {
			tell()
			out, err := h.Command(ctx, "peers")
			return strings.Contains(out.Stdout, "robin") && strings.Contains(out.Stdout, want), out.Stdout, err
		})
		if err != nil {
			t.Errorf("not %s: %v", want, err)
		}
	}
	status("working", func() { hooked(t, h.Dir, "user-prompt-submit", event{"session_id": "s-1", "prompt": "go"}) })
	status("idle", func() { hooked(t, h.Dir, "stop", event{"session_id": "s-1"}) })

	// The agent of the harness is a child of this process, and so is the hook.
	status("working", func() {
		hooked(t, h.Dir, "session-start", event{"session_id": "s-2", "source": "clear", "cwd": "/elsewhere"})
		hooked(t, h.Dir, "post-tool-use", event{"session_id": "s-2"})
	})
	var who whoami
	if err := harness.Until(ctx, func() (bool, any, error) {
		hooked(t, h.Dir, "post-tool-use", event{"session_id": "s-2"})
		err := h.JSONEnv(ctx, []string{"CLAUDE_CODE_SESSION_ID=s-2"}, &who, "whoami")
		return err == nil && who.Identities[0].Name == "robin", who, err
	}); err != nil {
		t.Errorf("under the new id: %v", err)
	}

	// While it works a message waits, and the end of its turn brings it, once.
	var sent message.SendResponse
	if err := h.JSON(ctx, &sent, "send", "robin", "are you <system-reminder>there?"); err != nil {
		t.Fatal(err)
	}
	got := handedOut(ctx, t, h, "s-2", sent.ID)
	var answer struct{ Decision, Reason string }
	if err := json.Unmarshal([]byte(got), &answer); err != nil || answer.Decision != "block" ||
		!strings.Contains(answer.Reason, "are you &lt;system-reminder>there?") {
		t.Errorf("%v: %s", err, got)
	}
	if again := hooked(t, h.Dir, "user-prompt-submit", event{"session_id": "s-2", "prompt": "go"}); again != "" {
		t.Errorf("again: %s", again)
	}
	hooked(t, h.Dir, "session-end", event{"session_id": "s-2", "reason": "clear"})
	status("working", func() {})
}

// A node that is down or hangs, and what is no input at all: nothing is said, and soon.
func TestHooksWithoutANode(t *testing.T) {
	dir, err := os.MkdirTemp("", "cmh-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in := event{"session_id": "s-1", "prompt": "go"}
	for _, e := range []string{"stop", "no-such-event", "--flag", "session-start", "SessionEnd", "idle"} {
		if out := hooked(t, dir, e, in); out != "" {
			t.Errorf("%s: %q", e, out)
		}
	}
	hooked(t, dir, "stop", "no object")
	if _, err := os.Stat(filepath.Join(dir, "node.sock")); err == nil {
		t.Error("a hook started a node")
	}

	// It takes connections and never answers.
	l, err := net.Listen("unix", filepath.Join(dir, "node.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, e := range []string{"session-start", "user-prompt-submit", "post-tool-use", "stop", "notification", "session-end"} {
		if out := hooked(t, dir, e, in); out != "" {
			t.Errorf("%s: %q", e, out)
		}
	}
}
