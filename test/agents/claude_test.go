//go:build agents

package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
)

// apiKey is no secret: the model's server takes any.
const apiKey = "sk-ant-test-00000000000000000000"

// claude is Claude Code as one user has it: installed, past its first questions,
// with claudemesh as its MCP server, and a model of the test's own.
type claude struct {
	t    *testing.T
	api  *modelapi.Server
	home string // HOME
	work string // the project
	env  []string
}

// newClaude sets Claude Code up for the user of h, with the command of our README and
// flags of the server.
func newClaude(ctx context.Context, t *testing.T, h *harness.Home, model modelapi.Model, flags ...string) *claude {
	t.Helper()
	api, err := modelapi.New(model)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if hosts := api.Refused(); len(hosts) > 0 {
			t.Logf("%s tried to reach %d hosts, the first %s", h.Name, len(hosts), hosts[0])
		}
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Dir(h.Dir)
	c := &claude{t: t, api: api, home: dir, work: filepath.Join(dir, "project")}
	must(t, os.Mkdir(c.work, 0o700))
	c.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "USER=" + h.Name, "LANG=C.UTF-8", "TERM=xterm-256color",
		"ANTHROPIC_BASE_URL=" + api.URL(), "ANTHROPIC_API_KEY=" + apiKey,
		// What is not on loopback is not reached.
		"HTTP_PROXY=" + api.URL(), "HTTPS_PROXY=" + api.URL(), "NO_PROXY=127.0.0.1,localhost",
		"DISABLE_AUTOUPDATER=1",
	}
	c.configure()
	out := c.run(ctx, append([]string{"mcp", "add", "--scope", "user", "claudemesh",
		"-e", "CLAUDEMESH_CONFIG_DIR=" + h.Dir, "-e", "CLAUDEMESH_AUTOSTART=0", "--", bin, "mcp"}, flags...)...)
	if out.Status != 0 {
		t.Fatalf("claude mcp add: status %d: %s%s", out.Status, out.Stdout, out.Stderr)
	}
	return c
}

// configure answers what Claude Code asks at its first start, and turns channels
// on as the feature flag of its maker does.
func (c *claude) configure() {
	c.t.Helper()
	features := map[string]bool{"tengu_harbor": true}
	c.write(filepath.Join(c.home, ".claude.json"), map[string]any{
		"hasCompletedOnboarding":   true,
		"customApiKeyResponses":    map[string]any{"approved": []string{apiKey[len(apiKey)-20:]}, "rejected": []string{}},
		"projects":                 map[string]any{c.work: map[string]any{"hasTrustDialogAccepted": true}},
		"cachedGrowthBookFeatures": features,
		"cachedFeatureFlags":       features,
	})
}

// write writes a file of JSON.
func (c *claude) write(path string, v any) {
	c.t.Helper()
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		c.t.Fatal(err)
	}
	must(c.t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(c.t, os.WriteFile(path, raw, 0o600))
}

// run runs Claude Code to its end.
func (c *claude) run(ctx context.Context, args ...string) harness.Output {
	c.t.Helper()
	return execute(ctx, c.t, c.env, c.work, claudeBin, args...)
}

// execute runs a program to its end, in a process group of its own.
func execute(ctx context.Context, t *testing.T, env []string, dir, program string, args ...string) harness.Output {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, dir, &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	began := time.Now()
	err := cmd.Run()
	out := harness.Output{Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(began)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%s %v: %v\n%s%s", filepath.Base(program), args, context.Cause(ctx), shorten(out.Stdout), shorten(out.Stderr))
	case errors.As(err, &exit):
		out.Status = exit.ExitCode()
	case err != nil:
		t.Fatalf("%s %v: %v", filepath.Base(program), args, err)
	}
	return out
}
