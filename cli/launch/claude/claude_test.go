package claude_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/cli/launch/claude"
)

func TestArguments(t *testing.T) {
	for name, c := range map[string]struct {
		plan claude.Plan
		want string // ID stands for the new conversation's
		id   string
	}{
		"a new conversation": {claude.Plan{}, "--session-id ID", "ID"},
		"a known one":        {claude.Plan{Resume: "u-1"}, "--resume u-1", "u-1"},
		"the newest":         {claude.Plan{Continue: true}, "--continue", ""},
		"unasked":            {claude.Plan{Unasked: true}, "--session-id ID --dangerously-skip-permissions", "ID"},
		"all in their order": {
			claude.Plan{Resume: "u-1", Unasked: true, System: "be brief", Servers: "/m.json", Rest: []string{"--model", "opus"}},
			"--resume u-1 --dangerously-skip-permissions --system-prompt be brief --mcp-config=/m.json --model opus", "u-1",
		},
		"our own flags handed on":   {claude.Plan{Rest: []string{"--dangerously-skip-permissions", "--dangerously-load-development-channels", "server:other", "-p"}}, "--session-id ID -p", "ID"},
		"joined by an equals sign":  {claude.Plan{Rest: []string{"--dangerously-load-development-channels=server:other", "hi"}}, "--session-id ID hi", "ID"},
		"channels without a value":  {claude.Plan{Rest: []string{"--dangerously-load-development-channels", "-p", "hi"}}, "--session-id ID -p hi", "ID"},
		"a prompt that looks alike": {claude.Plan{Rest: []string{"--", "--dangerously-skip-permissions"}}, "--session-id ID -- --dangerously-skip-permissions", "ID"},
		"an id handed on":           {claude.Plan{Rest: []string{"--session-id", "u-2"}}, "--session-id u-2", ""},
		"a fork handed on":          {claude.Plan{Resume: "u-1", Rest: []string{"--fork-session"}}, "--resume u-1 --fork-session", ""},
	} {
		t.Run(name, func(t *testing.T) {
			args, id := c.plan.Args()
			got := strings.Join(args, " ")
			if c.id == "ID" {
				got = strings.Replace(got, id, "ID", 1)
				id = "ID"
			}
			if want := "--dangerously-load-development-channels=server:claudemesh " + c.want; got != want || id != c.id {
				t.Errorf("got  %s (%s)\nwant %s (%s)", got, id, want, c.id)
			}
		})
	}
}

func TestAConsentHandedOnIsNoneAndIsTold(t *testing.T) {
	rest := []string{"--dangerously-skip-permissions"}
	if !(claude.Plan{Rest: rest}).Dropped() || (claude.Plan{Rest: rest, Unasked: true}).Dropped() || (claude.Plan{}).Dropped() {
		t.Error("what was dropped is not told, or the reverse")
	}
}

func TestTheEnvironmentIsThatOfThisSession(t *testing.T) {
	inherited := []string{
		"PATH=/bin", "CLAUDEMESH_SESSION_ID=outer", "CLAUDEMESH_SESSION_DIR=/outer", "CLAUDEMESH_ROLE=outer", "CLAUDEMESH_MESSAGE_MODE=off",
		"CLAUDE_CODE_SESSION_ID=outer", "CLAUDEMESH_LISTEN=x", "MCP_TIMEOUT=5", "MAX_MCP_OUTPUT_TOKENS=",
	}
	got := claude.Identity{Config: "/c", Folder: "/f", ID: "u-1", Name: "ana"}.Environ(inherited)
	for _, want := range []string{"PATH=/bin", "CLAUDEMESH_LISTEN=x", "CLAUDEMESH_CONFIG_DIR=/c", "CLAUDEMESH_SESSION_DIR=/f", "CLAUDEMESH_SESSION_ID=u-1", "CLAUDEMESH_DISPLAY_NAME=ana", "MCP_TIMEOUT=5", "MAX_MCP_OUTPUT_TOKENS=50000"} {
		if !slices.Contains(got, want) {
			t.Errorf("it lacks %s: %q", want, got)
		}
	}
	if all := strings.Join(got, "\n"); strings.Contains(all, "outer") || strings.Contains(all, "=off") {
		t.Errorf("something of the session around it is left: %q", got)
	}
	if got := (claude.Identity{Config: "/c"}).Environ(inherited); slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, "CLAUDEMESH_SESSION_ID") }) {
		t.Errorf("an id that is not known is handed on: %q", got)
	}
}

func TestFolders(t *testing.T) {
	tmp := t.TempDir()
	f, err := claude.NewFolder(tmp, agent.NewLaunched(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Servers("/bin/claudemesh"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{f.Path(): 0o700, filepath.Join(f.Path(), "config.json"): 0o600, filepath.Join(f.Path(), "mcp.json"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	for _, c := range []struct{ alive, used bool }{{true, false}, {false, true}, {false, false}} {
		used := func(folder string) bool { return c.used && folder == f.Path() }
		if err := claude.Sweep(tmp, func(int) bool { return c.alive }, used); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(f.Path()); (err == nil) != (c.alive || c.used) {
			t.Errorf("with its launcher or agent alive: %+v, the folder: %v", c, err)
		}
	}
	if err := f.Remove(); err != nil {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PATH", home)
	bin := filepath.Join(home, "claude")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(home, ".local", "bin", "claude")
	if err := os.MkdirAll(filepath.Dir(other), 0o700); err != nil {
		t.Fatal(err)
	}
	env := func(value string) func(string) string { return func(string) string { return value } }
	if got, err := claude.Find(env(bin)); err != nil || got != bin {
		t.Errorf("named: %q, %v", got, err)
	}
	if got, err := claude.Find(env("/nowhere/claude")); err == nil {
		t.Errorf("named and missing: %q", got)
	}
	if err := os.Rename(bin, other); err != nil {
		t.Fatal(err)
	}
	if got, err := claude.Find(env("")); err != nil || got != other {
		t.Errorf("where it installs itself: %q, %v", got, err)
	}
}
