//go:build agents

package agents

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
)

// robin is the name that the launched session is given.
const robin = "robin"

// shell is a person's terminal, in which claudemesh launches Claude Code.
type shell struct {
	*terminal
	c     *claude
	tmp   string // where session folders are made
	modes string // of the terminal, as found
	runs  int
}

// newShell starts a shell in a terminal.
func newShell(ctx context.Context, t *testing.T, c *claude) *shell {
	t.Helper()
	s := &shell{c: c, tmp: filepath.Join(c.home, "tmp")}
	must(t, os.Mkdir(s.tmp, 0o700))
	env := append([]string{"CLAUDE_BIN=" + claudeBin, "TMPDIR=" + s.tmp}, c.env...)
	s.terminal = newTerminal(ctx, t, env, c.work, "tmux", "sh")
	s.modes = s.found(ctx)
	return s
}

// found is how the terminal is: which screen, the cursor, the mouse, the keys.
func (s *shell) found(ctx context.Context) string {
	return s.tmux(ctx, "display-message", "-p", "-t", "main",
		"#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_cursor_flag} #{keypad_flag} #{insert_flag} #{wrap_flag}")
}

// launch types `claudemesh launch` with arguments.
func (s *shell) launch(ctx context.Context, args string) {
	s.t.Helper()
	s.runs++
	script := fmt.Sprintf("stty -g >%[1]s.before\n'%[2]s' launch -y %[3]s\nstatus=$?\nstty -g >%[1]s.after\necho $status >%[1]s.status\n",
		s.file(), bin, args)
	must(s.t, os.WriteFile(s.file(), []byte(script), 0o600))
	s.tmux(ctx, "clear-history", "-t", "main")
	s.enter(ctx, "clear; . "+s.file())
}

func (s *shell) file() string { return filepath.Join(s.c.home, "run-"+strconv.Itoa(s.runs)) }

// consent answers what Claude Code asks before it listens to a channel.
func (s *shell) consent(ctx context.Context) {
	s.t.Helper()
	s.await(ctx, "I am using this for local development")
	s.press(ctx, "Enter")
	s.await(ctx, belowPrompt)
}

// ended waits until the launch has ended, with that status and the terminal as it was.
func (s *shell) ended(ctx context.Context, status string) {
	s.t.Helper()
	read := func(what string) string {
		text, err := os.ReadFile(s.file() + what)
		if err != nil && !os.IsNotExist(err) {
			s.t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	must(s.t, harness.Until(ctx, func() (bool, any, error) { return read(".status") != "", s.screen(ctx), nil }))
	if got := read(".status"); got != status {
		s.t.Errorf("run %d: launch has ended with status %s, not %s", s.runs, got, status)
	}
	if was, is := read(".before"), read(".after"); was != is || was == "" {
		s.t.Errorf("run %d: the terminal was set %q, is set %q", s.runs, was, is)
	}
	if modes := s.found(ctx); modes != s.modes {
		s.t.Errorf("run %d: the terminal was %q, is %q", s.runs, s.modes, modes)
	}
	left, err := filepath.Glob(filepath.Join(s.tmp, "claudemesh-*"))
	must(s.t, err)
	if len(left) > 0 {
		s.t.Errorf("run %d has left %v", s.runs, left)
	}
}

// launcher is the process that has launched Claude Code.
func (s *shell) launcher() int {
	s.t.Helper()
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(s.program)).Output()
	must(s.t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	must(s.t, err)
	return pid
}

// interrupt presses Ctrl-C until Claude Code ends; the first one may end no more than a turn.
func (s *shell) interrupt(ctx context.Context) {
	s.t.Helper()
	for asked := false; !asked; {
		s.press(ctx, "C-c")
		soon, cancel := context.WithTimeout(ctx, 3*time.Second)
		asked = harness.Until(soon, func() (bool, any, error) {
			return strings.Contains(s.screen(ctx), "again to exit"), nil, nil
		}) == nil
		cancel()
		must(s.t, ctx.Err())
	}
	s.press(ctx, "C-c")
}

// conversation is the id of the only conversation there is.
func (c *claude) conversation() string {
	c.t.Helper()
	found, err := filepath.Glob(filepath.Join(c.home, ".claude", "projects", "*", "*.jsonl"))
	must(c.t, err)
	if len(found) != 1 {
		c.t.Fatalf("the conversations are %v", found)
	}
	return strings.TrimSuffix(filepath.Base(found[0]), ".jsonl")
}

// awaitNone waits until another user sees no session of a member.
func awaitNone(ctx context.Context, t *testing.T, h *harness.Home, member string) {
	t.Helper()
	must(t, harness.Until(ctx, func() (bool, any, error) {
		list, err := listSessions(ctx, h, member)
		return err == nil && len(list) == 0, list, nil
	}))
}

// asking is a model that looks who is there when asked to.
func asking(r modelapi.Request) modelapi.Reply {
	if len(r.Tools) > 0 && strings.Contains(r.User(), "who is there?") && len(of("list_peers", r.Results())) == 0 {
		return modelapi.Use(prefix+"list_peers", struct{}{})
	}
	return modelapi.Say("ok")
}

func TestLaunchPutsClaudeOnTheMesh(t *testing.T) {
	t.Parallel()
	for name, setUp := range map[string]func(context.Context, *testing.T, *harness.Home, modelapi.Model) *claude{
		"not set up": unset, "installed": installed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, patience)
			w := newWorld(ctx, t)
			bo := agent(ctx, t, w.bo, "bo's")
			c := setUp(ctx, t, w.ana, asking)
			s := newShell(ctx, t, c)
			launched(ctx, t, w, bo, s)
		})
	}
}

// launched launches Claude Code, goes on with its conversation by its id and as the newest
// one, and ends it each time in another way.
func launched(ctx context.Context, t *testing.T, w *world, bo *harness.Agent, s *shell) {
	t.Helper()
	s.launch(ctx, "--name "+robin+" --role scout --groups night -- 'who is there?' --allowedTools mcp__claudemesh")
	s.consent(ctx)
	r, err := s.c.api.Await(ctx, 0, func(r modelapi.Request) bool { return len(of("list_peers", r.Results())) > 0 })
	must(t, err)
	if got := of("list_peers", r.Results())[0]; got.IsError || !strings.Contains(got.Text, boName) {
		t.Errorf("list_peers: %+v", got)
	}
	first := awaitOne(ctx, t, w.bo, anaName)
	if first.Name != robin || first.Role != "scout" {
		t.Errorf("others see %+v", first)
	}
	var sent []string
	reached := func() {
		t.Helper()
		// Until pushes are known to arrive, a hook may be first.
		for pushed := false; !pushed; {
			id := send(ctx, t, bo, first.Session, "still you?")
			got, _ := awaitShown(ctx, t, s.c.api, withID(id))
			pushed = got.attrs["via"] == ""
			sent = append(sent, id)
		}
		is := awaitOne(ctx, t, w.bo, anaName)
		if is.Session != first.Session || is.Name != first.Name || is.Role != first.Role {
			t.Errorf("run %d: was %+v, is %+v", s.runs, first, is)
		}
	}
	goesOn := func(args string) {
		t.Helper()
		awaitNone(ctx, t, w.bo, anaName)
		s.launch(ctx, args)
		s.consent(ctx)
		sameKey(ctx, t, w, first)
		reached()
	}
	reached()
	s.enter(ctx, "/exit")
	s.ended(ctx, "0")
	id := s.c.conversation()

	goesOn("--resume " + id)
	s.interrupt(ctx)
	s.ended(ctx, "0")

	goesOn("--continue")
	must(t, syscall.Kill(s.launcher(), syscall.SIGTERM)) // it is passed on
	s.ended(ctx, "143")

	s.launch(ctx, "--resume 11111111-1111-4111-8111-111111111111")
	s.await(ctx, "I am using this for local development")
	s.press(ctx, "Enter")
	s.ended(ctx, "1")
	all := slices.DeleteFunc(s.c.api.Requests(), func(r modelapi.Request) bool { return len(r.Tools) == 0 })
	for _, id := range sent {
		if n := ways(all[len(all)-1], id); n != 1 {
			t.Errorf("message %s was shown %d times", id, n)
		}
	}
	if got := s.c.conversation(); got != id {
		t.Errorf("the conversation was %s, is %s", id, got)
	}
}

// sameKey waits until the member's only session is back, and is the one it was.
func sameKey(ctx context.Context, t *testing.T, w *world, was presence.Peer) {
	t.Helper()
	if is := awaitOne(ctx, t, w.bo, anaName); is.Session != was.Session || is.Name != was.Name {
		t.Errorf("was %s %s, is %s %s", was.Name, was.Session, is.Name, is.Session)
	}
}

// ways counts how often a message was given to Claude Code: it repeats by itself what a
// hook has handed out.
func ways(r modelapi.Request, id string) int {
	pushed, handed := 0, 0
	for _, c := range channels(r) {
		switch {
		case c.attrs["message_id"] != id:
		case c.attrs["via"] == "hook":
			handed = 1
		default:
			pushed++
		}
	}
	return pushed + handed
}
