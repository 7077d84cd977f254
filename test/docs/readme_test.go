package docs_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fence is a fenced block and its language. Blocks marked sh are run; transcripts
// and what needs a second machine are marked console.
var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// stubs stand for the programs that a reader has and a test must not use: git
// brings this repository, claude only has to be there.
var stubs = map[string]string{
	"git":    "#!/bin/sh\nset -e\n[ \"$1\" = clone ]\nln -s \"$REPOSITORY\" \"$(basename \"$2\" .git)\"\n",
	"claude": "#!/bin/sh\n",
}

// TestReadmeRuns runs all sh blocks of the README one after the other, as a reader
// on a fresh machine would, in a home of its own and on 127.0.0.1 alone.
func TestReadmeRuns(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -eo pipefail\n")
	for _, m := range fence.FindAllStringSubmatch(string(readme), -1) {
		if m[1] == "" {
			t.Errorf("a block without a language: %.60q", m[2])
		}
		if m[1] == "sh" {
			script.WriteString(traced(m[2]))
		}
	}
	home := home(t)
	out, err := command(t, home, bash, "-c", script.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"Made mesh first-light", "Joined mesh first-light as ben", "hello", `"schema_version": "1.0"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%q was not seen", want)
		}
	}
	state, err := os.ReadFile(filepath.Join(home, ".claude.json"))
	if err != nil || !strings.Contains(string(state), `"command": "claudemesh"`) {
		t.Errorf("Claude Code was told %q, %v", state, err)
	}
}

// traced shows each block before it runs.
func traced(block string) string {
	return "cat <<'SHOWN'\n$ " + block + "SHOWN\n" + block
}

// home makes a home for the reader; nodes started in it end with the test.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cmr-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "stubs")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range stubs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, folder := range []string{"", filepath.Join(dir, "ben")} {
			program := filepath.Join(dir, ".local", "bin", "claudemesh")
			if out, err := command(t, dir, "env", "CLAUDEMESH_CONFIG_DIR="+folder, program, "node", "down"); err != nil {
				t.Errorf("a node outlives its test: %v\n%s", err, out)
			}
		}
	})
	return dir
}

// command runs a program in the reader's home and returns all it printed.
func command(t *testing.T, home, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = home
	cmd.Env = []string{
		"PATH=" + filepath.Join(home, "stubs") + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + home, "USER=ana", "LANG=C.UTF-8", "REPOSITORY=" + repository(t),
		"CLAUDEMESH_LISTEN=127.0.0.1:0", "CLAUDEMESH_MDNS=0", "CLAUDEMESH_PORTMAP=0",
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOROOT", "GOTOOLCHAIN"} {
		value, err := exec.CommandContext(ctx, "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		if v := strings.TrimSpace(string(value)); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	return out.String(), err
}
