//go:build unix

package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	// promised is how long an agent waits for a hook of ours at most, on a machine that is
	// not busy, and bounded how long on any: most of a hook's time is the start of the
	// program, which with several processes for each core takes some times as long.
	promised, bounded = 100 * time.Millisecond, time.Second
	// inputWait is how long a hook waits for an agent that does not go on.
	inputWait = 500 * time.Millisecond
	// hookRuns is how often a hook is tried: of a busy machine the best run tells.
	hookRuns = 40
)

// caller is an agent that calls a hook.
type caller struct {
	dir   string
	event string
	// say tells the hook what happened and returns from when on the agent waits; zero:
	// from the start. What it does not close stays open until the hook has ended.
	say func(io.WriteCloser) (time.Time, error)
}

// wait calls the hook and returns how long the agent waited; a run in which it could not
// tell all it had to say counts for nothing.
func (c caller) wait(t *testing.T) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hung)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "hook", c.event)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(c.dir), "CLAUDEMESH_CONFIG_DIR=" + c.dir}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out, wrong strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &wrong
	from := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, broken := c.say(in)
	if !said.IsZero() {
		from = said
	}
	if err := cmd.Wait(); err != nil || out.Len() > 0 || wrong.Len() > 0 {
		t.Errorf("%v, %q, %q", err, out.String(), wrong.String())
	}
	if broken != nil {
		return time.Hour
	}
	return time.Since(from)
}

// bare is how long this machine takes to run a program that does nothing.
func bare(t *testing.T) time.Duration {
	t.Helper()
	best := time.Hour
	for range 5 {
		began := time.Now()
		if err := exec.CommandContext(t.Context(), "true").Run(); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(began))
	}
	return best
}

// inTime tries a hook until a run keeps the promise, beside what it waits for the agent.
// With CLAUDEMESH_LONG=1 it is held against what is promised, which takes a machine that
// is not busy.
func (c caller) inTime(t *testing.T, agent time.Duration) {
	t.Helper()
	limit := agent + bounded
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		limit = agent + promised
	}
	if os.Getenv(harness.EnvRace) == "1" {
		limit *= 20 // a program that watches itself
	}
	best := time.Hour
	runs := 0
	for ; runs < hookRuns && best > limit; runs++ {
		best = min(best, c.wait(t))
	}
	t.Logf("%s: %v, the best of %d runs, of at most %v; a program that does nothing: %v", c.event, best.Round(time.Millisecond), runs, limit, bare(t).Round(time.Millisecond))
	if best > limit {
		t.Errorf("at %s an agent waits %v", c.event, best)
	}
}

// said is an event in one piece, after which the agent closes its end.
func said(text string) func(io.WriteCloser) (time.Time, error) {
	return func(w io.WriteCloser) (time.Time, error) {
		if _, err := io.WriteString(w, text); err != nil {
			return time.Time{}, err
		}
		return time.Time{}, w.Close()
	}
}

// slowly says an event in two pieces and leaves its end open.
func slowly(text string) func(io.WriteCloser) (time.Time, error) {
	return func(w io.WriteCloser) (time.Time, error) {
		if _, err := io.WriteString(w, text[:len(text)/2]); err != nil {
			return time.Time{}, err
		}
		time.Sleep(200 * time.Millisecond) // the agent is slow
		_, err := io.WriteString(w, text[len(text)/2:])
		return time.Now(), err
	}
}

const stopped = `{"session_id":"s-1","hook_event_name":"Stop"}`

// nodes are what a hook may find in place of a node that answers.
var nodes = map[string]func(t *testing.T, dir string){
	"no node": func(*testing.T, string) {},
	"a socket that was left": func(t *testing.T, dir string) {
		l := listen(t, dir)
		l.SetUnlinkOnClose(false)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	},
	"a file for a socket": func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, "node.sock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	},
	"one that takes no connection": func(t *testing.T, dir string) { listen(t, dir) },
	"one that takes them and is silent": func(t *testing.T, dir string) {
		l := listen(t, dir)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
			}
		}()
		t.Cleanup(func() { _ = l.Close(); <-ended })
	},
}

func listen(t *testing.T, dir string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "node.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Whatever the node does, and however the agent talks: it waits no longer than promised.
func TestAHookHoldsNoAgentUp(t *testing.T) {
	long := `{"session_id":"s-1","hook_event_name":"PostToolUse","tool_response":"` + strings.Repeat("x", 8<<20) + `"}`
	for name, node := range nodes {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			node(t, dir)
			for _, event := range []string{"session-start", "user-prompt-submit", "post-tool-use", "stop", "session-end"} {
				caller{dir, event, said(stopped)}.inTime(t, 0)
			}
			caller{dir, "post-tool-use", said(long)}.inTime(t, 0)
			caller{dir, "stop", slowly(stopped)}.inTime(t, 0)
			silent := func(io.WriteCloser) (time.Time, error) { return time.Time{}, nil }
			caller{dir, "stop", silent}.inTime(t, inputWait)
		})
	}
}

// What stands where a transcript should holds nobody up either.
func TestAHookHoldsNoAgentUpWithItsTranscript(t *testing.T) {
	dir := shortDir(t)
	nodes["one that takes them and is silent"](t, dir)
	pipe, large := filepath.Join(dir, "pipe"), filepath.Join(dir, "large")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, []byte(strings.Repeat(`<channel source=\"claudemesh\" message_id=\"`+"\n", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, large, dir, filepath.Join(dir, "missing")} {
		caller{dir, "stop", said(fmt.Sprintf(`{"session_id":"s-1","transcript_path":%q}`, path))}.inTime(t, 0)
	}
}

// A node that is too busy to answer a hook in time has lost nothing when it has time
// again: what was not handed out is handed out later, once, and its sender is told no
// sooner.
func TestABusyNodeKeepsWhatAHookDidNotGet(t *testing.T) {
	ctx, h := limited(t), newHome(t)
	if err := h.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.JSON(ctx, &struct{}{}, "new", "one"); err != nil {
		t.Fatal(err)
	}
	a, err := h.Agent(ctx, harness.AgentConfig{Session: "s-1", Name: "robin"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CallTool(ctx, "list_peers", map[string]any{}); err != nil {
		t.Fatal(err)
	}
	a.Kill() // nothing is pushed
	var sent message.SendResponse
	if err := h.JSON(ctx, &sent, "send", "robin", "are you there?"); err != nil {
		t.Fatal(err)
	}
	state := func() (string, error) { return stateOf(ctx, h, sent.ID) }
	if err := harness.Until(ctx, func() (bool, any, error) {
		s, err := state()
		return s == string(message.Delivered), s, err
	}); err != nil {
		t.Fatal(err)
	}
	if err := h.Node().Pause(); err != nil {
		t.Fatal(err)
	}
	caller{h.Dir, "stop", said(stopped)}.inTime(t, 0)
	if err := h.Node().Resume(); err != nil {
		t.Fatal(err)
	}
	if s, err := state(); err != nil || s != string(message.Delivered) {
		t.Errorf("it is %q, %v", s, err)
	}

	got := handedOut(ctx, t, h, "s-1", sent.ID)
	var answer struct{ Reason string }
	if err := json.Unmarshal([]byte(got), &answer); err != nil || strings.Count(answer.Reason, "are you there?") != 1 {
		t.Errorf("%v: %s", err, got)
	}
	if again := hooked(t, h.Dir, "user-prompt-submit", event{"session_id": "s-1", "prompt": "go"}); again != "" {
		t.Errorf("again: %s", again)
	}
}
