package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// bin is the program under test, tools the folder with an agent that it finds.
var bin, tools string

func TestMain(m *testing.M) {
	harnesstest.Main(m, &bin, func(dir string) error {
		tools = filepath.Join(dir, "tools")
		return script(filepath.Join(tools, "claude"), "echo '2.1.330 (Claude Code)'")
	})
}

// script writes a program.
func script(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700)
}

// ward is a home to be looked at.
type ward struct {
	*harness.Home
	t   *testing.T
	ctx context.Context
	w   *harness.World
	env []string // of the doctor alone
}

// path is PATH with folders in front.
func path(front ...string) string {
	return "PATH=" + strings.Join(append(front, filepath.Dir(bin), tools, "/usr/bin", "/bin"), string(os.PathListSeparator))
}

// newWard makes a home in which claudemesh is installed and no node runs.
func newWard(t *testing.T) *ward {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	w := harnesstest.World(t, harness.Config{Bin: bin, Env: []string{path()}})
	h := &ward{t: t, ctx: ctx, w: w}
	h.Home = h.home("ana")
	h.must("install", "--agent", "claude")
	return h
}

func (h *ward) home(name string) *harness.Home {
	h.t.Helper()
	one, err := h.w.Home(name)
	h.check(err)
	return one
}

func (h *ward) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// must runs a command that must succeed.
func (h *ward) must(args ...string) string { return h.at(h.Home, args...) }

func (h *ward) at(home *harness.Home, args ...string) string {
	h.t.Helper()
	out, err := home.Command(h.ctx, args...)
	if err != nil || out.Status != 0 {
		h.t.Fatalf("%v: %v, status %d\n%s%s", args, err, out.Status, out.Stdout, out.Stderr)
	}
	return out.Stdout
}

// team starts the node and makes a mesh.
func (h *ward) team() {
	h.t.Helper()
	h.check(h.Start(h.ctx))
	h.must("new", "team", "--as", "ana")
}

// join has another home join the mesh.
func (h *ward) join(name string) *harness.Home {
	h.t.Helper()
	other := h.home(name)
	h.check(other.Start(h.ctx))
	h.at(other, "join", strings.TrimSpace(h.must("invite", "-q")), "--as", name)
	return other
}

// in is a path in the claudemesh folder, user one in the home folder.
func (h *ward) in(name ...string) string { return filepath.Join(append([]string{h.Dir}, name...)...) }
func (h *ward) user(name ...string) string {
	return filepath.Join(append([]string{filepath.Dir(h.Dir)}, name...)...)
}

// write puts a text into a file.
func (h *ward) write(path, text string) {
	h.t.Helper()
	h.check(os.MkdirAll(filepath.Dir(path), 0o700))
	h.check(os.WriteFile(path, []byte(text), 0o600))
}

// edit changes a JSON file.
func (h *ward) edit(path string, change func(map[string]any)) {
	h.t.Helper()
	doc := map[string]any{}
	text, err := os.ReadFile(path)
	h.check(err)
	h.check(json.Unmarshal(text, &doc))
	change(doc)
	text, err = json.Marshal(doc)
	h.check(err)
	h.write(path, string(text))
}

// seen is what the doctor found.
type seen struct {
	OK       bool `json:"ok"`
	Warnings int  `json:"warnings"`
	Checks   []struct {
		Check    string `json:"check"`
		Status   string `json:"status"`
		Findings []struct {
			Status, Detail, Fix, Done string
		} `json:"findings"`
	} `json:"checks"`
}

// longest is what the doctor may take, whatever is wrong, from its start to its end. 10 s
// are promised, of which the program gives its checks 8; here it shares its machine.
const longest = 20 * time.Second

// doctor runs it: as a document and, since both must say the same, as text.
func (h *ward) doctor(args ...string) seen {
	h.t.Helper()
	args = append([]string{"doctor"}, args...)
	out := h.timed(append(slices.Clone(args), "--json")...)
	var s seen
	h.check(json.Unmarshal([]byte(out.Stdout), &s))
	if want := map[bool]int{true: 0, false: 1}[s.OK]; out.Status != want || out.Stderr != "" {
		h.t.Fatalf("status %d, ok %t\n%s", out.Status, s.OK, out.Stderr)
	}
	return s
}

func (h *ward) timed(args ...string) harness.Output {
	h.t.Helper()
	out, err := h.CommandEnv(h.ctx, h.env, args...)
	if err != nil {
		h.t.Fatal(err, out.Stdout)
	}
	if out.Took > longest {
		h.t.Errorf("%v took %v", args, out.Took)
	}
	return out
}

// find is the finding of a check that says something, and its status.
func (s seen) find(check, says, remedy string) (status, done string, ok bool) {
	for _, c := range s.Checks {
		if c.Check != check {
			continue
		}
		for _, f := range c.Findings {
			if strings.Contains(f.Detail, says) && strings.Contains(f.Fix, remedy) {
				return f.Status, f.Done, true
			}
		}
	}
	return "", "", false
}

func (s seen) String() string {
	var b strings.Builder
	for _, c := range s.Checks {
		for _, f := range c.Findings {
			fmt.Fprintf(&b, "%s %s: %s -> %s %s\n", f.Status, c.Check, f.Detail, f.Fix, f.Done)
		}
	}
	return b.String()
}

// older builds the program under another version.
func older(t *testing.T, version string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out := filepath.Join(t.TempDir(), "claudemesh")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-X main.version="+version, "-o", out, "github.com/claudemesh/claudemesh/cmd/claudemesh")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}
