//go:build unix

package terminal_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

var update = flag.Bool("update", false, "write the recordings anew")

// program is the built program.
var program string

func TestMain(m *testing.M) {
	if _, err := exec.LookPath("tmux"); err != nil {
		fmt.Fprintln(os.Stderr, "these tests need tmux: install it (apt-get install tmux, brew install tmux)")
		os.Exit(1)
	}
	harnesstest.Main(m, &program)
}

// standIn is what is started in place of Claude Code: it says as what, and waits for a line.
const standIn = `#!/bin/sh
[ -z "$FAKE_QUIET" ] || exit 0
echo "This is the agent, $CLAUDEMESH_DISPLAY_NAME${CLAUDEMESH_ROLE:+ ($CLAUDEMESH_ROLE)}."
sed -n 's/.*"mesh": \(.*\),/mesh \1/p' "$CLAUDEMESH_SESSION_DIR/config.json"
printf 'type: '
read line
echo "got $line"
[ "$line" != stop ] || kill -STOP $$
exit 4
`

// stage is a user at a terminal of tmux, with a shell in it.
type stage struct {
	t      *testing.T
	ctx    context.Context
	dir    string
	socket string
	env    []string
	shots  strings.Builder
	modes  string // of the terminal, before anything was started
	hide   [][2]string
}

// open opens a terminal of a size. vars are added to the shell's environment.
func open(t *testing.T, width, height int, vars ...string) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "cmt-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	s := &stage{t: t, ctx: ctx, dir: dir, socket: filepath.Join(dir, "tmux")}
	for name, text := range map[string]string{"home/.claudemesh/.keep": "", "home/work/.keep": "", "tmp/.keep": "", "bin/claude": standIn} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(text), 0o700))
	}
	s.env = append([]string{
		"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home"), "USER=ana", "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
		"TERM=xterm-256color", "SHELL=/bin/sh", "PS1=ready$ ", "TMPDIR=" + filepath.Join(dir, "tmp"), "CLAUDE_BIN=" + filepath.Join(dir, "bin", "claude"),
		"CLAUDEMESH_LISTEN=127.0.0.1:0", "CLAUDEMESH_MDNS=0", "CLAUDEMESH_PORTMAP=0",
	}, vars...)
	must(t, os.Symlink(program, filepath.Join(dir, "bin", "claudemesh")))
	t.Cleanup(func() {
		s.close()
		cancel()
	})
	cmd := exec.CommandContext(ctx, "tmux", "-u", "-S", s.socket, "-f", "/dev/null", "new-session", "-d", "-s", "main",
		"-x", fmt.Sprint(width), "-y", fmt.Sprint(height), "-c", filepath.Join(dir, "home", "work"), "exec sh")
	cmd.Env = s.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	s.tmux("set-option", "-g", "status", "off")
	s.tmux("set-option", "-g", "escape-time", "0")
	s.settledOn("ready$")
	s.modes = s.look()
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stage) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// A terminal that closes ends what runs in it; the node is ended by its own command.
	_ = exec.CommandContext(ctx, "tmux", "-S", s.socket, "kill-server").Run()
	down := exec.CommandContext(ctx, program, "node", "down", "--force")
	down.Env = s.env
	if out, err := down.CombinedOutput(); err != nil {
		s.t.Errorf("a node outlives its test: %v\n%s", err, out)
	}
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Error(err)
	}
}

func (s *stage) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.ctx, "tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// run runs a command beside the terminal, as the same user.
func (s *stage) run(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.ctx, program, args...)
	cmd.Env = s.env
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("claudemesh %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// screen is what is to be seen.
func (s *stage) screen() string {
	s.t.Helper()
	lines := strings.Split(s.tmux("capture-pane", "-p", "-t", "main"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// until waits for what the screen shows in the end, and leaves time to tell what it shows.
func (s *stage) until(ask func() (bool, any, error)) error {
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Minute)
	defer cancel()
	return harness.Until(ctx, ask)
}

// await waits until a text is to be seen.
func (s *stage) await(text string) {
	s.t.Helper()
	if err := s.until(func() (bool, any, error) {
		screen := s.screen()
		return strings.Contains(screen, text), "\n" + screen, nil
	}); err != nil {
		s.t.Fatalf("%q is not on the screen: %v", text, err)
	}
}

// gone waits until a text is no longer to be seen.
func (s *stage) gone(text string) {
	s.t.Helper()
	if err := s.until(func() (bool, any, error) {
		screen := s.screen()
		return !strings.Contains(screen, text), "\n" + screen, nil
	}); err != nil {
		s.t.Fatalf("%q stays on the screen: %v", text, err)
	}
}

// press presses keys, by tmux's names.
func (s *stage) press(keys ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys", "-t", "main"}, keys...)...)
}

// enter types a text, and the key when the text is to be seen.
func (s *stage) enter(text string) {
	s.t.Helper()
	s.tmux("send-keys", "-t", "main", "-l", text)
	if err := s.until(func() (bool, any, error) {
		screen := s.screen()
		return strings.Contains(packed(screen), packed(text)), screen, nil
	}); err != nil {
		s.t.Fatalf("%q is not echoed: %v", text, err)
	}
	s.press("Enter")
}

// packed is text without blanks and breaks: a long line breaks where the terminal ends.
func packed(text string) string { return strings.Join(strings.Fields(text), "") }

// shell runs a line in the terminal's shell.
func (s *stage) shell(line string) {
	s.t.Helper()
	s.settledOn("ready$")
	s.enter(line)
}

// masks are what differs from run to run.
var masks = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`in \d+ s\.`), "in N s."},
	{regexp.MustCompile(`, \d+ online`), ", N online"},
	{regexp.MustCompile(`claudemesh://join/\S*|[A-Za-z0-9_-]{40,}`), "LINK"},
}

// shotWait is how long a screen may take until it is as it was recorded, also on a busy
// machine: a terminal shows a large one in parts.
const shotWait = 30 * time.Second

// shot adds what is to be seen to the recording, when it is as in the one that is kept.
func (s *stage) shot(title string) {
	s.t.Helper()
	before, now := s.shots.String(), s.seen(title)
	if kept, err := os.ReadFile(s.recording()); err == nil && !*update && strings.HasPrefix(string(kept), before) {
		ctx, cancel := context.WithTimeout(s.ctx, shotWait)
		defer cancel()
		_ = harness.Until(ctx, func() (bool, any, error) { // in vain: recorded tells
			now = s.seen(title)
			rest, same := strings.CutPrefix(string(kept), before+now)
			return same && (rest == "" || strings.HasPrefix(rest, "── ")), nil, nil
		})
	}
	s.shots.WriteString(now)
}

// seen is a shot of what is to be seen now.
func (s *stage) seen(title string) string {
	s.t.Helper()
	text := strings.ReplaceAll(s.screen(), s.dir, "DIR")
	for _, h := range s.hide {
		text = strings.ReplaceAll(text, h[0], h[1])
	}
	for _, m := range masks {
		text = m.is.ReplaceAllString(text, m.as)
	}
	return fmt.Sprintf("── %s\n%s", title, text)
}

// recording is the path of the recording that is kept.
func (s *stage) recording() string {
	return filepath.Join("testdata", strings.ReplaceAll(strings.TrimPrefix(s.t.Name(), "Test"), "/", "-")+".txt")
}

// look reads how the terminal is set: its modes as tmux knows them, and those of its
// line as stty does.
func (s *stage) look() string {
	s.t.Helper()
	tty := strings.TrimSpace(s.tmux("display-message", "-p", "-t", "main", "#{pane_tty}"))
	f, err := os.Open(tty)
	must(s.t, err)
	defer f.Close()
	cmd := exec.CommandContext(s.ctx, "stty", "-g")
	cmd.Stdin = f
	line, err := cmd.Output()
	must(s.t, err)
	return s.tmux("display-message", "-p", "-t", "main",
		"alternate #{alternate_on}, cursor #{cursor_flag}, mouse #{mouse_any_flag}#{mouse_all_flag}#{mouse_button_flag}#{mouse_standard_flag}#{mouse_sgr_flag}, keypad #{keypad_flag}#{keypad_cursor_flag}, insert #{insert_flag}, wrap #{wrap_flag}") + string(line)
}

// asBefore tells that the terminal is as it was: its modes, and that what is typed is
// echoed once and runs.
func (s *stage) asBefore(status string) {
	s.t.Helper()
	s.shell("echo status=$?")
	s.await("\nstatus=" + status)
	s.settledOn("ready$")
	if now := s.look(); now != s.modes {
		s.t.Errorf("the terminal is left as\n%snot\n%s", now, s.modes)
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "tmp", "claudemesh-[0-9]*", "config.json"))
	if err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %v, %v", left, err)
	}
}

// recorded compares the recording with the one that is kept.
func (s *stage) recorded() {
	s.t.Helper()
	path := s.recording()
	got := s.shots.String()
	if *update {
		must(s.t, os.WriteFile(path, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		s.t.Errorf("%s differs (%v); -update writes it anew\n--- kept\n%s--- now\n%s", path, err, want, got)
	}
}
