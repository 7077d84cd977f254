package setup_test

import (
	"slices"
	"testing"

	"github.com/claudemesh/claudemesh/cli/setup"
)

// Plan says what Install then does, and does nothing.
func TestPlanSaysWhatInstallDoes(t *testing.T) {
	for _, a := range setup.Agents() {
		for _, before := range []string{"", "{", `{"mcpServers":{"claudemesh":{"command":"/old/claudemesh","args":["mcp"]}}}`} {
			u := newUser(t)
			first := u.do(a.Name, (*setup.Setup).Plan)
			if before != "" {
				for _, c := range first {
					u.write(c.Path[len(u.home):], before)
				}
				first = u.do(a.Name, (*setup.Setup).Plan)
			}
			if again := u.do(a.Name, (*setup.Setup).Plan); !slices.Equal(first, again) {
				t.Fatalf("%s: it changed something: %v, then %v", a.Name, first, again)
			}
			if did := u.install(a.Name); !slices.Equal(first, did) {
				t.Errorf("%s with %q: planned %v, done %v", a.Name, before, first, did)
			}
			if before == "" {
				for _, c := range u.do(a.Name, (*setup.Setup).Plan) {
					if c.Result != setup.Unchanged {
						t.Errorf("%s: after install there is something to do: %+v", a.Name, c)
					}
				}
			}
		}
	}
}

// Sweep takes out what older programs left, and not a byte more.
func TestSweep(t *testing.T) {
	u := newUser(t)
	const broken = `{"mcpServers": {"mesh:x": `
	u.write(".claude.json", `{"a": 1, "mcpServers": {"mesh:x": {"command": "x"}, "mine":  {"command": "y"}, "mesh:z": {}}}`)
	c, err := setup.New(u.cfg).Sweep()
	if err != nil || c.Result != setup.Removed {
		t.Fatal(c, err)
	}
	if got, want := u.read(".claude.json"), `{"a": 1, "mcpServers": {"mine":  {"command": "y"}}}`; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if c, err := setup.New(u.cfg).Sweep(); err != nil || c.Result != setup.Unchanged {
		t.Error(c, err)
	}
	u.write(".claude.json", broken)
	if _, err := setup.New(u.cfg).Sweep(); err == nil || u.read(".claude.json") != broken {
		t.Errorf("a broken file was touched: %v", err)
	}
}

// What Install writes is found again.
func TestClaudeIsRead(t *testing.T) {
	u := newUser(t)
	s := setup.New(u.cfg)
	if c := s.Claude(); c.Program != "" || c.Allowed || len(c.Hooks) > 0 || c.StateErr != nil || c.SettingsErr != nil {
		t.Errorf("of nothing: %+v", c)
	}
	u.install("claude")
	c := s.Claude()
	if c.Program != program || !slices.Equal(c.Args, []string{"mcp"}) || !c.Allowed || c.Denied || c.HooksOff || c.Plugin || len(c.OldNames)+len(c.Leftovers) > 0 {
		t.Errorf("%+v", c)
	}
	for _, e := range setup.Events() {
		if len(c.Hooks[e[0]]) != 1 {
			t.Fatalf("%s: %v", e[0], c.Hooks[e[0]])
		}
		if at, word, ok := s.OurHook(c.Hooks[e[0]][0]); !ok || at != program || word != e[1] {
			t.Errorf("%s: %q, %q, %t", e[0], at, word, ok)
		}
	}
	u.write(".claude/settings.json", `{"enabledPlugins":{"claudemesh@claudemesh":true},"disableAllHooks":true,"permissions":{"deny":["mcp__claudemesh"],"allow":["mcp__claudemesh__x"]},"allowedTools":["mcp__claudemesh__y","z"]}`)
	u.write(".claude.json", `{"mcpServers":{"mesh:a":{}},"cachedFeatureFlags":{"tengu_harbor":true}}`)
	c = s.Claude()
	if !c.Plugin || !c.HooksOff || !c.Denied || c.Allowed || c.Channels != "on" || !slices.Equal(c.Leftovers, []string{"mesh:a"}) ||
		!slices.Equal(c.OldNames, []string{"mcp__claudemesh__y", "mcp__claudemesh__x"}) {
		t.Errorf("%+v", c)
	}
	for _, other := range []string{"lint --all", "claudemesh status-line", "/x/notclaudemesh hook stop", "echo claudemesh"} {
		if at, word, ok := s.OurHook(other); ok {
			t.Errorf("%q is taken for ours: %q, %q", other, at, word)
		}
	}
}
