package setup_test

import (
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/setup"
)

// settings are the file of servers of each agent, and how another's server of our name
// stands in it.
func settings() map[string][2]string {
	other := `{"command": "other", "args": ["serve"]}`
	return map[string][2]string{
		"claude":  {".claude.json", `{"mcpServers": {"claudemesh":` + other + `, "b": {}}}`},
		"gemini":  {".gemini/settings.json", `{"mcpServers": {"claudemesh":` + other + `}, "b": 1}`},
		"copilot": {".copilot/mcp-config.json", `{ "mcpServers" : { "claudemesh" : ` + other + ` } }`},
		"codex":   {codexFile, "a = 1\n[mcp_servers.claudemesh]\nurl = \"http://localhost\"\n[b]\n"},
	}
}

// A server of our name that is another's gives way, and is back to the byte afterwards.
// Without an installation nothing of it is touched.
func TestAnothersServerComesBack(t *testing.T) {
	for agent, f := range settings() {
		u := newUser(t)
		u.write(f[0], f[1])
		u.uninstall(agent)
		if got := u.read(f[0]); got != f[1] {
			t.Errorf("%s: uninstalled what was never installed: %s", agent, got)
		}
		u.install(agent)
		if got := u.read(f[0]); !strings.Contains(got, program) || !setup.New(u.cfg).Has(agent) {
			t.Errorf("%s: not installed: %s", agent, got)
		}
		u.uninstall(agent)
		if got := u.read(f[0]); got != f[1] {
			t.Errorf("%s: %s\nnot %s", agent, got, f[1])
		}
	}
}

// The program may have another name: what it wrote it knows, changes and takes out
// again, also from a file that was changed meanwhile.
func TestProgramOfAnotherName(t *testing.T) {
	for agent, f := range settings() {
		u := newUser(t)
		u.cfg.Program, u.cfg.StatusLine = "/opt/it's mine/cm-next", true
		u.install(agent)
		u.unchanged(u.install(agent))
		text := u.read(f[0])
		u.write(f[0], text+"\n")
		u.uninstall(agent)
		if got := u.read(f[0]); strings.Contains(got, "cm-next") {
			t.Errorf("%s: %s", agent, got)
		}
	}
	u := newUser(t)
	u.cfg.Program, u.cfg.StatusLine = "/opt/it's mine/cm-next", true
	u.install("claude")
	s := setup.New(u.cfg)
	for _, e := range setup.Events() {
		if at, word, ok := s.OurHook(s.Claude().Hooks[e[0]][0]); !ok || at != u.cfg.Program || word != e[1] {
			t.Errorf("%s: %q %q %v", e[0], at, word, ok)
		}
	}
	u.write(".claude/settings.json", u.read(".claude/settings.json")+"\n")
	u.uninstall("claude")
	if got := strings.TrimSpace(u.read(".claude/settings.json")); got != "{}" {
		t.Errorf("left: %s", got)
	}
}

// Codex lets its users write a server in one line, too.
func TestCodexInOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"[mcp_servers]\nclaudemesh = { command = \"/old/claudemesh\", args = [\"mcp\"], env = { A = 'b' } } # it\nb = {}\n":                      "[mcp_servers]\nb = {}\n",
		"a = 1\nmcp_servers.claudemesh.command = 'claudemesh'\nmcp_servers.claudemesh.args = ['mcp']\nmcp_servers.b.command = 'c'\n[d]\ne = 1\n": "a = 1\nmcp_servers.b.command = 'c'\n[d]\ne = 1\n",
	} {
		u := newUser(t)
		u.write(codexFile, in)
		u.install("codex")
		got := u.read(codexFile)
		if !strings.Contains(got, program) || strings.Count(got, "\n") != strings.Count(in, "\n") || !setup.New(u.cfg).Has("codex") {
			t.Errorf("installed: %s", got)
		}
		u.unchanged(u.install("codex"))
		u.uninstall("codex")
		if got := u.read(codexFile); got != want {
			t.Errorf("%q\nnot %q", got, want)
		}
	}
}

// What cannot be taken out is not passed over in silence.
func TestCodexAllInOneLine(t *testing.T) {
	in := "mcp_servers = { claudemesh = { command = \"claudemesh\", args = [\"mcp\"] } }\n"
	u := newUser(t)
	u.write(codexFile, in)
	for _, how := range []func(string) []setup.Change{u.install, u.uninstall} {
		if c := how("codex"); c[0].Result != setup.Refused || u.read(codexFile) != in {
			t.Errorf("%+v", c)
		}
	}
	u.write(codexFile, "mcp_servers = { b = { command = \"c\" } }\n")
	if c := u.uninstall("codex"); c[0].Result != setup.Unchanged {
		t.Errorf("%+v", c)
	}
}
