package setup_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/setup"
)

const program = "/opt/claude mesh/claudemesh"

// user is a home folder and the setup in it.
type user struct {
	t    *testing.T
	home string
	cfg  setup.Config
}

func newUser(t *testing.T) *user {
	t.Helper()
	home := t.TempDir()
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &user{t, home, setup.Config{
		Home: home, Getenv: func(string) string { return "" }, Program: program, Copies: filepath.Join(home, "copies"),
		LookPath: func(string) (string, error) { return "", errors.New("not there") },
		Skill:    "commands", Hooks: true,
		Now: func() time.Time { clock = clock.Add(time.Second); return clock },
	}}
}

func (u *user) do(agent string, how func(*setup.Setup, string) ([]setup.Change, error)) []setup.Change {
	u.t.Helper()
	out, err := how(setup.New(u.cfg), agent)
	if err != nil {
		u.t.Fatal(err)
	}
	return out
}

func (u *user) install(agent string) []setup.Change {
	u.t.Helper()
	return u.do(agent, (*setup.Setup).Install)
}
func (u *user) uninstall(agent string) []setup.Change {
	u.t.Helper()
	return u.do(agent, (*setup.Setup).Uninstall)
}

func (u *user) write(path, text string) {
	u.t.Helper()
	full := filepath.Join(u.home, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o640); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) read(path string) string {
	u.t.Helper()
	text, err := os.ReadFile(filepath.Join(u.home, path))
	if err != nil {
		u.t.Fatal(err)
	}
	return string(text)
}

// mains are the files that are varied, with the comments their agents take.
var mains = []struct {
	agent, path string
	comments    bool
}{
	{"claude", ".claude.json", false}, {"claude", ".claude/settings.json", false},
	{"opencode", ".config/opencode/opencode.json", true}, {"gemini", ".gemini/settings.json", true},
	{"qwen", ".qwen/settings.json", true}, {"copilot", ".copilot/mcp-config.json", false},
}

// variants are files as people have them. Those with bad are refused.
var variants = []struct {
	name, text string
	comments   bool
	bad        bool
}{
	{name: "empty", text: ""},
	{name: "blank", text: " \n\n"},
	{name: "empty object", text: "{}"},
	{name: "empty object with a line", text: "{\n}\n"},
	{name: "one line", text: `{"theme":"dark","n":1.50}`},
	{name: "one line with blanks", text: `{ "theme": "dark" }` + "\n"},
	{name: "two blanks", text: "{\n  \"theme\": \"dark\"\n}\n"},
	{name: "four blanks", text: "{\n    \"theme\": \"dark\",\n    \"x\": {\n        \"y\": []\n    }\n}"},
	{name: "tabs", text: "{\n\t\"theme\": \"dark\"\n}\n"},
	{name: "crlf", text: "{\r\n  \"theme\": \"dark\"\r\n}\r\n"},
	{name: "byte order mark", text: "\ufeff{\n  \"theme\": \"dark\"\n}\n"},
	{name: "odd order and blanks", text: "{ \"z\" :1 ,\n\n\n   \"a\": [ 1,2 ,3],\n\"m\":null }"},
	{name: "other servers", text: "{\n  \"mcpServers\": {\n    \"other\": {\"command\": \"x\", \"args\": []}\n  },\n  \"mcp\": {\"other\": {\"type\": \"local\"}}\n}\n"},
	{name: "empty containers", text: "{\n  \"mcpServers\": {},\n  \"mcp\": {},\n  \"permissions\": {\"allow\": []},\n  \"hooks\": {}\n}\n"},
	{name: "other people's hooks", text: `{
  "hooks": {
    "Stop": [{"hooks": [{"type": "command", "command": "say done"}]}],
    "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "lint"}]}]
  },
  "permissions": {"allow": ["Bash(ls:*)", "mcp__other"], "deny": ["WebFetch"]},
  "statusLine": {"type": "command", "command": "mine"}
}
`},
	{name: "unknown keys", text: "{\n  \"\": 0,\n  \"x.y\": {\"a\": {\"b\": [[[]]]}},\n  \"hooks\": {\"Later\": \"x\", \"Other\": [1, \"a\", {\"hooks\": 5}]}\n}"},
	{name: "long numbers", text: `{"big": 123456789012345678901234567890, "e": 1E+2, "f": -0.0}`},
	{name: "escapes", text: `{"a\u0062": "\ud83d\ude00 \/ \u003c", "é": "ü"}`},
	{name: "the same key twice", text: `{"theme": 1, "theme": 2, "mcpServers": {"a": {}}, "mcpServers": {"b": {}}}`},
	{name: "html", text: `{"a": "<b>&amp;</b>"}`},
	{name: "huge", text: "{\n  \"history\": [" + strings.Repeat("\n    \"line\",", 200_000) + "\n    \"end\"\n  ]\n}\n"},
	{name: "deep", text: `{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}"},
	{name: "comments", text: "// mine\n{\n  \"theme\": \"dark\" // yes\n  /* end */\n}\n", comments: true},
	{name: "comma at the end", text: "{\n  \"theme\": \"dark\",\n}\n", comments: true},
	{name: "broken", text: "{\n  \"theme\": \n}", bad: true},
	{name: "cut", text: "{\n  \"theme\": \"da", bad: true},
	{name: "two documents", text: "{} {}", bad: true},
	{name: "no object", text: "[1]", bad: true},
	{name: "no json", text: "theme = dark\n", bad: true},
	{name: "wrong shape", text: `{"mcpServers": [], "mcp": "x", "permissions": 1, "hooks": "none"}`, bad: true},
	{name: "single quotes", text: `{'a': 1}`, bad: true},
}

// Nothing of the user's is lost, twice is as good as once, and uninstalling gives the
// bytes back.
func TestVariants(t *testing.T) {
	for _, m := range mains {
		for _, v := range variants {
			t.Run(m.agent+"/"+filepath.Base(m.path)+"/"+v.name, func(t *testing.T) {
				u := newUser(t)
				u.write(m.path, v.text)
				bad := v.bad || v.comments && !m.comments
				u.check(m.agent, m.path, u.install(m.agent), bad)
				once := u.read(m.path)
				if bad {
					if once != v.text {
						t.Fatalf("it was changed: %.200q", once)
					}
					return
				}
				u.unchanged(u.install(m.agent))
				if u.read(m.path) != once {
					t.Error("a second run changed it")
				}
				if !v.comments {
					contains(t, once, v.text)
				}
				u.uninstall(m.agent)
				if got := u.read(m.path); got != v.text {
					t.Errorf("uninstalled: %.300q\nnot %.300q", got, v.text)
				}
				u.taken(m.agent, m.path, v.text)
			})
		}
	}
}

// check finds the change of a file and whether it was refused.
func (u *user) check(agent, path string, changes []setup.Change, refused bool) {
	u.t.Helper()
	for _, c := range changes {
		if c.Agent == agent && c.Path == filepath.Join(u.home, path) {
			if (c.Result == setup.Refused) != refused || refused && c.Note == "" {
				u.t.Errorf("%+v", c)
			}
			return
		}
	}
	u.t.Errorf("nothing about %s in %+v", path, changes)
}

func (u *user) unchanged(changes []setup.Change) {
	u.t.Helper()
	for _, c := range changes {
		if c.Result != setup.Unchanged {
			u.t.Errorf("%+v", c)
		}
	}
}

// taken uninstalls from a file that its agent rewrote: what means something is as
// before.
func (u *user) taken(agent, path, text string) {
	u.t.Helper()
	u.install(agent)
	u.write(path, u.read(path)+"\n")
	u.uninstall(agent)
	got := u.read(path)
	if strings.Contains(got, "claudemesh") {
		u.t.Errorf("something is left: %.300q", got)
	}
	if json.Valid([]byte(text)) && json.Valid([]byte(got)) && !strings.Contains(text, "{}") && !strings.Contains(text, "[]") {
		contains(u.t, got, text)
	}
}

// contains tells whether all that one document says stands in another, too.
func contains(t *testing.T, have, want string) {
	t.Helper()
	var a, b any
	if json.Unmarshal([]byte(strings.TrimPrefix(want, "\ufeff")), &b) != nil {
		return
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(have, "\ufeff")), &a); err != nil {
		t.Fatalf("not JSON: %v", err)
	}
	if !within(a, b) {
		t.Errorf("%.300q lacks something of %.300q", have, want)
	}
}

func within(have, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		for k, v := range w {
			ok = ok && within(h[k], v)
		}
		return ok
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) < len(w) {
			return false
		}
		for i, v := range w {
			ok = ok && within(h[i], v)
		}
		return ok
	}
	return have == want
}

func TestMissingFiles(t *testing.T) {
	for _, a := range setup.Agents() {
		u := newUser(t)
		for _, c := range u.install(a.Name) {
			if c.Result != setup.Added {
				t.Errorf("%+v", c)
			}
			if info, err := os.Stat(c.Path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", c.Path, info, err)
			}
		}
		u.unchanged(u.install(a.Name))
		for _, c := range u.uninstall(a.Name) {
			if _, err := os.Stat(c.Path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", c.Path, err)
			}
		}
		u.unchanged(u.uninstall(a.Name))
	}
}

func TestFilesOfOtherKinds(t *testing.T) {
	const text = "{\n  \"theme\": \"dark\"\n}\n"
	path := func(u *user) string { return filepath.Join(u.home, ".gemini/settings.json") }
	t.Run("read-only", func(t *testing.T) {
		u := newUser(t)
		u.write(".gemini/settings.json", text)
		if err := os.Chmod(path(u), 0o444); err != nil {
			t.Fatal(err)
		}
		u.check("gemini", ".gemini/settings.json", u.install("gemini"), true)
		if u.read(".gemini/settings.json") != text {
			t.Error("it was changed")
		}
	})
	t.Run("link", func(t *testing.T) {
		u := newUser(t)
		u.write("dotfiles/gemini.json", text)
		u.write(".gemini/x", "")
		if err := os.Symlink("../dotfiles/gemini.json", path(u)); err != nil {
			t.Fatal(err)
		}
		u.install("gemini")
		if info, err := os.Lstat(path(u)); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v, %v", info, err)
		}
		if !strings.Contains(u.read("dotfiles/gemini.json"), "claudemesh") {
			t.Error("what it leads to was not written")
		}
		if info, err := os.Stat(path(u)); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("other rights: %v, %v", info, err)
		}
		u.uninstall("gemini")
		if u.read("dotfiles/gemini.json") != text {
			t.Error("not as before")
		}
	})
	t.Run("folder", func(t *testing.T) {
		u := newUser(t)
		u.write(".gemini/settings.json/x", "")
		u.check("gemini", ".gemini/settings.json", u.install("gemini"), true)
	})
	t.Run("circle", func(t *testing.T) {
		u := newUser(t)
		u.write(".gemini/x", "")
		if err := os.Symlink("settings.json", path(u)); err != nil {
			t.Fatal(err)
		}
		u.check("gemini", ".gemini/settings.json", u.install("gemini"), true)
	})
}

func TestWhatIsOursAlready(t *testing.T) {
	u := newUser(t)
	u.write(".claude.json", `{"mcpServers": {"claudemesh": {"command": "/old/claudemesh", "args": ["mcp", "--tools", "core"], "env": {"A": "b"}}}}`)
	u.write(".claude/settings.json", `{"allowedTools": ["mcp__claudemesh__send_message", "Bash"], "hooks": {"Stop": [{"hooks": [`+
		`{"type": "command", "command": "claudemesh hook idle"}, {"type": "command", "command": "say claudemesh hooked"}]}]}}`)
	u.install("claude")
	if got, want := u.read(".claude.json"), `{"mcpServers": {"claudemesh": {"command": "`+program+`", "args": ["mcp", "--tools", "core"], "env": {"A": "b"}}}}`; got != want {
		t.Errorf("%s", got)
	}
	got := u.read(".claude/settings.json")
	for _, want := range []string{`"allowedTools": ["Bash"]`, "say claudemesh hooked", `'` + program + `' hook stop`, `"mcp__claudemesh"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "hook idle") {
		t.Errorf("the old hook is left: %s", got)
	}
	u.cfg.Hooks = false
	u.install("claude")
	if got := u.read(".claude/settings.json"); strings.Contains(got, "hook stop") || !strings.Contains(got, "say claudemesh hooked") {
		t.Errorf("without hooks: %s", got)
	}
}

func TestStatusLine(t *testing.T) {
	u := newUser(t)
	u.cfg.StatusLine = true
	u.install("claude")
	if got := u.read(".claude/settings.json"); !strings.Contains(got, "' status-line") {
		t.Errorf("%s", got)
	}
	u.uninstall("claude")
	u.write(".claude/settings.json", `{"statusLine":{"command":"mine"}}`)
	for _, c := range u.install("claude") {
		if strings.Contains(c.What, "status line") && !strings.Contains(c.Note, "another's") {
			t.Errorf("%+v", c)
		}
	}
	if got := u.read(".claude/settings.json"); !strings.Contains(got, `"statusLine":{"command":"mine"}`) {
		t.Errorf("%s", got)
	}
}

func TestForeignSkill(t *testing.T) {
	u := newUser(t)
	u.write(".claude/skills/claudemesh/SKILL.md", "mine")
	u.check("claude", ".claude/skills/claudemesh/SKILL.md", u.install("claude"), true)
	u.uninstall("claude")
	if u.read(".claude/skills/claudemesh/SKILL.md") != "mine" {
		t.Error("it was changed")
	}
}

func TestOldCopiesGo(t *testing.T) {
	u := newUser(t)
	for i := range 9 {
		u.write(".gemini/settings.json", "{\"n\": "+strings.Repeat("1", i+1)+"}")
		u.install("gemini")
	}
	copies, err := filepath.Glob(filepath.Join(u.cfg.Copies, "settings.json.*"))
	if err != nil || len(copies) < 3 || len(copies) > 6 {
		t.Errorf("%d copies, %v", len(copies), err)
	}
}
