package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/store"
)

// fault is something that is wrong in a home where no node runs.
type fault struct {
	what   string
	cause  func(h *ward)
	check  string
	status string
	says   string // in the detail
	remedy string // in the fix
	mended string // what --fix says it did; empty: nothing
}

var faults = []fault{
	{"open folder", func(h *ward) { h.check(os.Chmod(h.Dir, 0o755)) }, "modes", "fail", "has the mode 0755: others may read it", "chmod 700", "the mode 0700"},
	{"open key", func(h *ward) {
		h.write(h.in("keys", "a.key"), strings.Repeat("ab", 32))
		h.check(errors.Join(os.Chmod(h.in("keys", "a.key"), 0o644), os.Chmod(h.in("keys"), 0o755), os.Chmod(h.Dir, 0o755)))
	}, "modes", "fail", "a.key has the mode 0644", "chmod 600", "the mode 0600"},
	{"open key in a closed folder", func(h *ward) {
		h.write(h.in("keys", "a.key"), strings.Repeat("ab", 32))
		h.check(os.Chmod(h.in("keys", "a.key"), 0o644))
	}, "modes", "pass", "a.key has the mode 0644; nobody else comes into its folder", "chmod 600", "the mode 0600"},
	{"key that cannot be read", func(h *ward) {
		h.write(h.in("keys", "a.key"), strings.Repeat("ab", 32))
		h.check(os.Chmod(h.in("keys", "a.key"), 0))
	}, "modes", "fail", "you cannot read it yourself", "chmod 600", "the mode 0600"},
	{"damaged key", func(h *ward) { h.write(h.in("keys", "a.key"), "not hex") }, "keys", "fail", "does not hold 64 hex digits", "claudemesh restore", ""},
	{"folder instead of a key", func(h *ward) { h.check(os.MkdirAll(h.in("keys", "a.key"), 0o700)) }, "keys", "fail", "the key of mesh a cannot be used", "claudemesh restore", ""},
	{"damaged node key", func(h *ward) { h.write(h.in("node.key"), "x") }, "keys", "fail", "node.key is damaged", "remove node.key", ""},
	{"broken config.json", func(h *ward) { h.write(h.in("config.json"), `{"node":`) }, "settings", "fail", "config.json cannot be read", "claudemesh config", ""},
	{"wrong setting", func(h *ward) { h.write(h.in("config.json"), `{"node":{"listen":["nowhere"]}}`) }, "settings", "fail", "nowhere", "claudemesh config", ""},
	{"stale variable", func(h *ward) { h.env = append(h.env, "CLAUDEMESH_CONFIG_DIR=/nowhere/at/all") }, "folder", "warn", "/nowhere/at/all, which does not exist", "unset CLAUDEMESH_CONFIG_DIR", ""},
	{"keys of a restore that was killed", func(h *ward) {
		h.team()
		h.write(h.in(".restore-1", "keys", "x.key"), "x")
	}, "folder", "warn", "left keys behind: ", "--fix", "removed "},
	{"not on PATH", func(h *ward) { h.env = append(h.env, "PATH="+tools+":/usr/bin:/bin") }, "path", "warn", "no folder of PATH has claudemesh", "export PATH=", ""},
	{"another one first on PATH", func(h *ward) {
		h.check(script(h.user("other", "claudemesh"), "true"))
		h.env = append(h.env, path(h.user("other")))
	}, "path", "warn", "a shell starts", "PATH", ""},
	{"second installation", func(h *ward) {
		h.check(script(h.user("other", "claudemesh"), "true"))
		h.env = append(h.env, path(filepath.Dir(bin), h.user("other")))
	}, "path", "warn", "there is a second installation", "keep one", ""},

	{"no agent", func(h *ward) { h.env = append(h.env, "PATH="+filepath.Dir(bin)) }, "agents", "warn", "no coding agent is found", "npm install -g @anthropic-ai/claude-code", ""},
	{"an agent that is gone", func(h *ward) {
		h.write(h.user(".claude", "history.jsonl"), "{}\n")
		h.env = append(h.env, "PATH="+filepath.Dir(bin))
	}, "agents", "fail", "Claude Code is set up with claudemesh, and is no longer found", "claudemesh uninstall", ""},
	{"old agent", func(h *ward) {
		h.check(script(h.user("old", "claude"), "echo '2.1.79 (Claude Code)'"))
		h.env = append(h.env, "CLAUDE_BIN="+h.user("old", "claude"))
	}, "claude-version", "warn", "Claude Code 2.1.79 is too old for channels", "claude update", ""},
	{"agent that does not end", func(h *ward) {
		h.check(script(h.user("old", "claude"), "sleep 30"))
		h.env = append(h.env, "CLAUDE_BIN="+h.user("old", "claude"))
	}, "claude-version", "warn", "does not say its version", "claude --version", ""},
	{"broken .claude.json", func(h *ward) { h.write(h.user(".claude.json"), `{"mcpServers":`) }, "claude-files", "fail", ".claude.json cannot be read", "correct it there", ""},
	{"broken settings.json", func(h *ward) { h.write(h.user(".claude", "settings.json"), `{]`) }, "claude-files", "fail", "settings.json cannot be read", "correct it there", ""},
	{"no MCP entry", func(h *ward) { h.edit(h.user(".claude.json"), func(d map[string]any) { delete(d, "mcpServers") }) }, "mcp", "fail", "not registered with claude", "claudemesh install", "ran `claudemesh install"},
	{"MCP entry of a program that is gone", func(h *ward) {
		h.write(h.user(".claude.json"), `{"mcpServers":{"claudemesh":{"command":"/gone/claudemesh","args":["mcp"]}}}`)
	}, "mcp", "fail", "does not exist: /gone/claudemesh", "claudemesh install", "ran `claudemesh install"},
	{"another agent without an entry", func(h *ward) { h.write(h.user(".codex", "config.toml"), "model = \"x\"\n") }, "mcp", "fail", "not registered with codex", "claudemesh install --agent codex", "ran `claudemesh install"},
	{"no permission", func(h *ward) {
		h.edit(h.user(".claude", "settings.json"), func(d map[string]any) { delete(d, "permissions") })
	}, "permission", "warn", "asks its user before each of our tools", "claudemesh install", "ran `claudemesh install"},
	{"no hooks", func(h *ward) {
		h.edit(h.user(".claude", "settings.json"), func(d map[string]any) { delete(d, "hooks") })
	}, "hooks", "warn", "no hooks of ours", "claudemesh install", "ran `claudemesh install"},
	{"one hook is missing", func(h *ward) {
		h.edit(h.user(".claude", "settings.json"), func(d map[string]any) { delete(d["hooks"].(map[string]any), "Stop") })
	}, "hooks", "warn", "hooks are missing", "claudemesh install", "ran `claudemesh install"},
	{"old hooks", func(h *ward) { h.edit(h.user(".claude", "settings.json"), hookIs("claudemesh hook idle")) }, "hooks", "warn", "of an older version: claudemesh hook idle", "claudemesh install", "ran `claudemesh install"},
	{"hook of a program that is gone", func(h *ward) { h.edit(h.user(".claude", "settings.json"), hookIs("/gone/claudemesh hook stop")) }, "hooks", "fail", "hooks start /gone/claudemesh, which does not exist: Stop", "claudemesh install", "ran `claudemesh install"},
	{"hooks off", func(h *ward) {
		h.edit(h.user(".claude", "settings.json"), func(d map[string]any) { d["disableAllHooks"] = true })
	}, "hooks", "warn", "switches all hooks off", "disableAllHooks", ""},
	{"others' hooks", func(h *ward) {
		h.edit(h.user(".claude", "settings.json"), func(d map[string]any) {
			all := d["hooks"].(map[string]any)
			all["Stop"] = append(all["Stop"].([]any), hookOf("lint --all"))
		})
	}, "hooks", "pass", "1 hook of another program runs beside: Stop: lint --all", "", ""},
	{"slow hook", func(h *ward) {
		h.check(script(h.user("slow", "claudemesh"), "sleep 1"))
		h.write(h.user(".claude", "settings.json"), `{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"`+h.user("slow", "claudemesh")+` hook stop"}]}]}}`)
	}, "hook-time", "warn", "is too slow", "waits for it at every step", ""},
	{"hook that does not end", func(h *ward) {
		h.check(script(h.user("slow", "claudemesh"), "sleep 30"))
		h.write(h.user(".claude", "settings.json"), `{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"`+h.user("slow", "claudemesh")+` hook stop"}]}]}}`)
	}, "hook-time", "fail", "is too slow: it takes more than", "waits for it at every step", ""},
	{"names of older versions", func(h *ward) {
		h.edit(h.user(".claude", "settings.json"), func(d map[string]any) {
			d["allowedTools"] = []string{"mcp__claudemesh__send_message", "mcp__claudemesh__list_peers", "Bash"}
		})
	}, "old-entries", "warn", "single tools in the way of older versions", "claudemesh install", "ran `claudemesh install"},
	{"stale servers", func(h *ward) {
		h.edit(h.user(".claude.json"), func(d map[string]any) {
			d["mcpServers"].(map[string]any)["mesh:db"] = map[string]any{"command": "x"}
		})
	}, "old-entries", "warn", "stale servers that older versions left: mesh:db", "--fix", "took the servers mesh:… out"},
	{"channels are switched off", func(h *ward) {
		h.edit(h.user(".claude.json"), func(d map[string]any) { d["cachedGrowthBookFeatures"] = map[string]any{"tengu_harbor": false} })
	}, "channels", "warn", "switch for channels off", "Channel notifications", ""},
	{"dead session", func(h *ward) {
		dir, old := filepath.Join(h.w.Root(), "tmp", "claudemesh-a1B2c3"), time.Now().Add(-48*time.Hour)
		h.write(filepath.Join(dir, "config.json"), "{}")
		h.check(os.Chtimes(filepath.Join(dir, "config.json"), old, old))
		h.check(os.Chtimes(dir, old, old))
	}, "sessions", "warn", "1 folder of sessions that are gone", "--fix", "removed 1 folder"},
	{"stale token", func(h *ward) {
		old := time.Now().Add(-100 * 24 * time.Hour)
		h.write(h.in("sessions", "x.json"), "{}")
		h.check(os.Chtimes(h.in("sessions", "x.json"), old, old))
	}, "sessions", "warn", "1 session token that nobody has used", "--fix", "removed 1 stale token"},
	{"no handler of links", func(*ward) {}, "links", "skipped", "nothing opens claudemesh:// links", "claudemesh join", ""},

	{"broken store", func(h *ward) { h.write(h.in("node.db"), "this is no store, however long one looks at it") }, "store", "fail", "the store is broken", "claudemesh restore", ""},
	{"empty store", func(h *ward) { h.write(h.in("node.db"), "") }, "store", "fail", "it is empty", "claudemesh restore", ""},
	{"newer store", func(h *ward) {
		h.team()
		h.check(h.Stop(h.ctx))
		db, err := store.Open(store.Config{Path: h.in("node.db"), Schema: 2, Migrate: []store.Migration{{From: 1, Do: func(*store.Tx) error { return nil }}}})
		h.check(err)
		h.check(db.Close())
	}, "store", "fail", "written by a newer version", "use that version", ""},
	{"stale socket", func(h *ward) {
		h.check(h.Start(h.ctx))
		h.Kill()
	}, "socket", "warn", "is stale", "rm ", "removed "},
	{"file instead of a socket", func(h *ward) { h.write(h.in("node.sock"), "") }, "socket", "fail", "a file in the place of the socket", "move it away", ""},
	{"no node, and nobody starts one", func(*ward) {}, "node", "warn", "no node runs", "claudemesh node up", ""},
}

func hookOf(command string) map[string]any {
	return map[string]any{"hooks": []any{map[string]any{"type": "command", "command": command}}}
}

// hookIs has the hook of Stop be a command.
func hookIs(command string) func(map[string]any) {
	return func(d map[string]any) { d["hooks"].(map[string]any)["Stop"] = []any{hookOf(command)} }
}

// Each fault is named with its remedy; --fix mends some, says what it did, and a second
// run finds nothing there.
func TestFaultsPutInByHand(t *testing.T) {
	for _, f := range faults {
		t.Run(f.what, func(t *testing.T) {
			t.Parallel()
			h := newWard(t)
			f.cause(h)
			s := h.doctor()
			if status, _, ok := s.find(f.check, f.says, f.remedy); !ok || status != f.status {
				t.Fatalf("%q is %q, not named with %q as %s:\n%s", f.says, status, f.remedy, f.status, s)
			}
			if s.OK && f.status == "fail" {
				t.Errorf("it passes:\n%s", s)
			}
			if f.mended == "" {
				return
			}
			s = h.doctor("--fix")
			if _, done, ok := s.find(f.check, f.says, ""); !ok || !s.OK || !strings.Contains(done, f.mended) {
				t.Errorf("--fix says %q:\n%s", done, s)
			}
			s = h.doctor()
			if _, _, still := s.find(f.check, f.says, ""); still || !s.OK {
				t.Errorf("it is not mended:\n%s", s)
			}
		})
	}
}
