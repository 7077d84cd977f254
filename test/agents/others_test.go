//go:build agents

package agents

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// other is another agent than Claude Code.
type other struct {
	name, program string
	// file holds its servers, text what its user has in it before.
	file, text string
	// trust makes it trust a folder, env are variables that keep it from the network.
	trust func(u *user)
	env   []string
	// listed is what `mcp list` says of a server that works.
	listed *regexp.Regexp
	// connected finds out whether it starts the server, where the list does not.
	connected func(ctx context.Context, u *user)
}

// others are the agents that `claudemesh install` knows, in versions of npm.txt.
func others() []other {
	return []other{
		{
			name: "codex", program: module(".bin", "codex"),
			file: ".codex/config.toml", text: "# mine\nmodel = \"x\"\n\n[mcp_servers.mine]\ncommand = \"true\"\nenabled = false\n",
			listed: regexp.MustCompile(`(?m)^claudemesh +\S*claudemesh +mcp .* enabled `), connected: codexStarts,
		},
		{
			name: "opencode", program: module("opencode-"+system(), "bin", "opencode"),
			file: ".config/opencode/opencode.json", text: "{\n  \"$schema\": \"https://opencode.ai/config.json\",\n  // mine\n  \"share\": \"disabled\"\n}\n",
			env:    []string{"OPENCODE_DISABLE_AUTOUPDATE=1", "OPENCODE_DISABLE_MODELS_FETCH=1", "OPENCODE_DISABLE_DEFAULT_PLUGINS=1", "OPENCODE_DISABLE_LSP_DOWNLOAD=1"},
			listed: regexp.MustCompile(`✓ +claudemesh\s.*connected`),
		},
		{
			name: "gemini", program: module(".bin", "gemini"), file: ".gemini/settings.json", text: "{\n  // mine\n  \"theme\": \"dark\"\n}\n",
			trust: func(u *user) {
				u.write(".gemini/trustedFolders.json", fmt.Sprintf("{%q: \"TRUST_FOLDER\"}", u.work))
			},
			listed: regexp.MustCompile(`✓ +claudemesh: .*Connected`),
		},
		{
			name: "qwen", program: module(".bin", "qwen"), file: ".qwen/settings.json",
			// As it writes the file itself: at its start it brings others into this form.
			text:   "{\n  \"ui\": {\n    \"theme\": \"dark\"\n  },\n  \"$version\": 4\n}\n",
			listed: regexp.MustCompile(`✓ +claudemesh: .*Connected`),
		},
		{
			name: "copilot", program: module(".bin", "copilot"),
			file: ".copilot/mcp-config.json", text: "{\n  \"mcpServers\": {}\n}\n",
			env:    []string{"COPILOT_OFFLINE=true", "COPILOT_AUTO_UPDATE=false"},
			listed: regexp.MustCompile(`(?m)^ +claudemesh \(local\)`), connected: copilotCalls,
		},
	}
}

// user is somebody with one other agent and a node that runs.
type user struct {
	t    *testing.T
	node *harness.Home
	home string // HOME
	work string
	api  *modelapi.Server
	env  []string
	other
}

// newUser makes a home with a settings file of the agent's.
func newUser(ctx context.Context, t *testing.T, o other) *user {
	t.Helper()
	w := harnesstest.World(t, harness.Config{Bin: bin})
	h := home(ctx, t, w, anaName)
	must(t, h.JSON(ctx, &struct{}{}, "new", meshName, "--as", anaName))
	api, err := modelapi.New(func(r modelapi.Request) modelapi.Reply {
		if len(r.Results()) == 0 && r.Offers(copilotTool) {
			return modelapi.Use(copilotTool, struct{}{})
		}
		return modelapi.Say("done")
	})
	must(t, err)
	t.Cleanup(func() {
		t.Logf("%s tried to reach %q", o.name, api.Refused())
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	u := &user{t: t, node: h, home: filepath.Dir(h.Dir), work: filepath.Join(filepath.Dir(h.Dir), "project"), api: api, other: o}
	must(t, os.Mkdir(u.work, 0o700))
	u.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + u.home, "USER=" + anaName, "LANG=C.UTF-8", "TERM=xterm-256color", "NO_COLOR=1", "CI=1",
		// What is not on loopback is not reached.
		"HTTP_PROXY=" + api.URL(), "HTTPS_PROXY=" + api.URL(), "NO_PROXY=127.0.0.1,localhost",
	}, o.env...)
	u.write(o.file, o.text)
	if o.trust != nil {
		o.trust(u)
	}
	return u
}

func (u *user) write(path, text string) {
	u.t.Helper()
	full := filepath.Join(u.home, path)
	must(u.t, os.MkdirAll(filepath.Dir(full), 0o700))
	must(u.t, os.WriteFile(full, []byte(text), 0o600))
}

func (u *user) read(path string) string {
	u.t.Helper()
	text, err := os.ReadFile(filepath.Join(u.home, path))
	must(u.t, err)
	return string(text)
}

// claudemesh runs it as this user does: its folder is the one in the home.
func (u *user) claudemesh(ctx context.Context, args ...string) harness.Output {
	u.t.Helper()
	return execute(ctx, u.t, u.env, u.work, bin, args...)
}

// run runs the agent.
func (u *user) run(ctx context.Context, args ...string) harness.Output {
	u.t.Helper()
	return execute(ctx, u.t, u.env, u.work, u.program, args...)
}

// What install writes, each agent takes: its own list has our server as connected, or,
// where a list tells settings only, it starts it. Uninstall leaves what was there.
func TestOtherAgentsListTheServer(t *testing.T) {
	t.Parallel()
	for _, o := range others() {
		t.Run(o.name, func(t *testing.T) {
			ctx := within(t, patience)
			u := newUser(ctx, t, o)
			if out := u.claudemesh(ctx, "install", "--agent", o.name); out.Status != 0 || !strings.Contains(out.Stdout, "added") {
				t.Fatalf("install: %+v", out)
			}
			out := u.run(ctx, "mcp", "list")
			t.Logf("took %v:\n%s", out.Took, shorten(out.Stdout))
			if out.Status != 0 || !o.listed.MatchString(plain.ReplaceAllString(out.Stdout+out.Stderr, "")) {
				t.Errorf("status %d: %q %s", out.Status, out.Stdout, out.Stderr)
			}
			if o.connected != nil {
				o.connected(ctx, u)
			}
			if out := u.claudemesh(ctx, "uninstall"); out.Status != 0 {
				t.Errorf("uninstall: %+v", out)
			}
			if got := u.read(o.file); got != o.text {
				t.Errorf("after uninstall: %q, not %q", got, o.text)
			}
			if out := u.run(ctx, "mcp", "list"); strings.Contains(out.Stdout, "claudemesh") {
				t.Errorf("it is still there: %s", out.Stdout)
			}
		})
	}
}

// plain removes the colours that some keep with NO_COLOR.
var plain = regexp.MustCompile("\x1b\\[[0-9;]*m")

// codexStarts asks Codex's own server for the state of its MCP servers, for which it
// starts them: `codex mcp list` tells settings only.
func codexStarts(ctx context.Context, u *user) {
	t := u.t
	t.Helper()
	cmd := exec.CommandContext(ctx, u.program, "app-server")
	cmd.Env, cmd.Dir, cmd.WaitDelay = u.env, u.work, time.Second
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	_, err = io.WriteString(in, `{"id":1,"method":"initialize","params":{"clientInfo":{"name":"test","version":"1"}}}`+"\n"+
		`{"method":"initialized"}`+"\n"+`{"id":2,"method":"mcpServerStatus/list","params":{}}`+"\n")
	must(t, err)
	var answer struct {
		ID     int `json:"id"`
		Result struct {
			Data []struct {
				Name  string
				Tools map[string]json.RawMessage
			}
		} `json:"result"`
	}
	for lines := bufio.NewReader(out); answer.ID != 2; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("codex app-server: %v", err)
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			answer.ID = 0 // of another shape: a notification
		}
	}
	found := false
	for _, s := range answer.Result.Data {
		found = found || s.Name == "claudemesh" && len(s.Tools) == len(tools(false))
	}
	if !found {
		t.Errorf("Codex has the servers %+v", answer.Result.Data)
	}
	must(t, in.Close())
	_ = cmd.Wait() // it was told to end
}

// copilotTool is how Copilot CLI calls a tool of ours.
const copilotTool = "claudemesh-mesh_info"

// copilotCalls has Copilot CLI call a tool, with a model of the test's own: `copilot mcp
// list` tells settings only.
func copilotCalls(ctx context.Context, u *user) {
	t := u.t
	t.Helper()
	u.env = append(u.env, "COPILOT_PROVIDER_TYPE=anthropic", "COPILOT_PROVIDER_BASE_URL="+u.api.URL(), "COPILOT_PROVIDER_API_KEY="+apiKey, "COPILOT_MODEL=claude-sonnet-4")
	out := u.run(ctx, "-p", "which mesh is this?", "--allow-all-tools")
	t.Logf("took %v", out.Took)
	results := lastResults(t, u.api)
	if out.Status != 0 || len(results) != 1 || results[0].Name != copilotTool || results[0].IsError || !strings.Contains(results[0].Text, meshName) {
		t.Errorf("status %d, the model got %+v\n%s%s", out.Status, results, out.Stdout, out.Stderr)
	}
}
