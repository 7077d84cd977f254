package setup_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/setup"
	"github.com/claudemesh/claudemesh/cli/setup/tomltext"
)

// mains are the files that are varied, with the comments their agents take.
var mains = []struct {
	agent, path string
	comments    bool
	variants    []variant
	usual       string
}{
	{"claude", ".claude.json", false, variants, usualJSON},
	{"claude", ".claude/settings.json", false, variants, usualJSON},
	{"opencode", ".config/opencode/opencode.json", true, variants, usualJSON},
	{"gemini", ".gemini/settings.json", true, variants, usualJSON},
	{"qwen", ".qwen/settings.json", true, variants, usualJSON},
	{"copilot", ".copilot/mcp-config.json", false, variants, usualJSON},
	{"codex", ".codex/config.toml", false, tomlVariants, "model = \"x\"\n"},
}

const usualJSON = "{\n  \"theme\": \"dark\"\n}\n"

// variant is a file as people have it. One that is bad is refused.
type variant struct {
	name, text string
	comments   bool // in JSON, which not all agents take
	bad        bool
}

// variants are those of JSON.
var variants = []variant{
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
	{name: "huge", text: "{\n  \"history\": [" + strings.Repeat("\n    \"line\",", 20_000) + "\n    \"end\"\n  ]\n}\n"},
	{name: "deep", text: `{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}"},
	{name: "comments", text: "// mine\n{\n  \"theme\": \"dark\" // yes\n  /* end */\n}\n", comments: true},
	{name: "comma at the end", text: "{\n  \"theme\": \"dark\",\n}\n", comments: true},
	{name: "comments only", text: "// later\n", comments: true},
	{name: "crlf and comments", text: "{\r\n  // mine\r\n  \"theme\": \"dark\", // yes\r\n}\r\n", comments: true},
	{name: "broken", text: "{\n  \"theme\": \n}", bad: true},
	{name: "cut", text: "{\n  \"theme\": \"da", bad: true},
	{name: "two documents", text: "{} {}", bad: true},
	{name: "no object", text: "[1]", bad: true},
	{name: "no json", text: "theme = dark\n", bad: true},
	{name: "wrong shape", text: `{"mcpServers": [], "mcp": "x", "permissions": 1, "hooks": "none"}`, bad: true},
	{name: "single quotes", text: `{'a': 1}`, bad: true},
}

// tomlVariants are those of TOML.
var tomlVariants = []variant{
	{name: "empty", text: ""},
	{name: "blank", text: " \n\n"},
	{name: "comments only", text: "# later\n\n  # much\n"},
	{name: "usual", text: "model = \"x\"\napproval_policy = \"never\"\n"},
	{name: "no line end", text: "model = \"x\""},
	{name: "comment without line end", text: "model = \"x\" # mine"},
	{name: "crlf", text: "# mine\r\nmodel = \"x\"\r\n\r\n[tui]\r\ntheme = 'dark'\r\n"},
	{name: "byte order mark", text: "\ufeffmodel = \"x\"\n"},
	{name: "tabs", text: "[tui]\n\ttheme\t=\t\"dark\"\t# yes\n"},
	{name: "odd order and blanks", text: "\n\n  z=1\n\n\n[ b ]\nc   =   2\n   [a]\n[b.c]\nd=3\n\n"},
	{name: "comments", text: "# top\nmodel = \"x\" # why\n# of the table\n[tui] # here\n# inside\ntheme = \"dark\"\n# end\n"},
	{name: "other servers", text: "[mcp_servers.other]\ncommand = \"x\"\nargs = []\n\n[mcp_servers.other.env]\nA = \"b\"\n"},
	{name: "empty containers", text: "[mcp_servers]\n\n[tui]\n"},
	{name: "servers in points", text: "mcp_servers.other.command = \"x\"\n"},
	{name: "other people's hooks", text: "notify = [\"python3\", \"/home/me/notify.py\"]\n[hooks]\nstop = [{ command = \"say done\" }]\n[[hooks.pre_tool_use]]\nmatcher = \"shell\"\n"},
	{name: "unknown keys", text: "\"\" = 0\n\"x.y\".z = [[[]]]\n[later.'an other']\nq = {a = {b = 1}}\n"},
	{name: "projects", text: "[projects.\"/home/me/a [b]\"]\ntrust_level = \"trusted\"\n[projects.'C:\\Users\\me']\ntrust_level = \"trusted\"\n"},
	{name: "profiles", text: "profile = \"a\"\n[profiles.a]\nmodel = \"x\"\n[profiles.b]\nmodel = \"y\"\n"},
	{name: "lists of tables", text: "[[rules]]\na = 1\n[[rules]]\na = 2\n[rules.b]\nc = 3\n"},
	{name: "lists over lines", text: "args = [\n  \"a\", # first\n  \"]\",\n  [1, 2],\n] # end\n"},
	{name: "inline tables", text: "env = { A = \"}\", b.c = [1, {d = 2}] }\n"},
	{name: "long strings", text: "prompt = \"\"\"\n[mcp_servers.claudemesh]\ncommand = \\\"x\\\"\n\"\"\"\nother = '''\nx = '''\n"},
	{name: "numbers and dates", text: "a = 1_000\nb = -0.0\nc = 1E+2\nd = 0xFF\ne = 1979-05-27 07:32:00Z\nf = inf\n"},
	{name: "escapes", text: "a = \"\\u00e9 \\\\ \\\"\"\nb = 'é'\n"},
	{name: "a hash in a string", text: "a = \"x # y\"\nb = '# [c]'\n"},
	{name: "similar names", text: "[mcp_servers.claudemesh2]\ncommand = \"x\"\n[other.claudemesh]\ncommand = \"y\"\n[claudemesh]\na = 1\n"},
	{name: "quoted names", text: "[\"mcp_servers\".'other']\n\"command\" = \"x\"\n"},
	{name: "indented tables", text: "[a]\n  b = 1\n  [a.c]\n    d = 2\n"},
	{name: "many blank lines at the end", text: "a = 1\n\n\n\n"},
	{name: "huge", text: strings.Repeat("[[history]]\nline = \"x\"\n", 5_000)},
	{name: "broken", text: "model = \n", bad: true},
	{name: "cut", text: "model = \"x", bad: true},
	{name: "a cut list", text: "args = [\"x\",\n", bad: true},
	{name: "a bare word", text: "theme = dark\n", bad: true},
	{name: "json", text: "{\"model\": \"x\"}\n", bad: true},
	{name: "a conflict", text: "<<<<<<< mine\nmodel = \"x\"\n", bad: true},
	{name: "a broken header", text: "[tui\ntheme = 1\n", bad: true},
	{name: "servers in a line", text: "mcp_servers = { other = {} }\n", bad: true},
	{name: "ours in points", text: "mcp_servers.claudemesh.command = \"x\"\n", bad: true},
	{name: "ours in a line", text: "[mcp_servers]\nclaudemesh = { command = \"x\" }\n", bad: true},
}

// Nothing of the user's is lost, twice is as good as once, and uninstalling gives the
// bytes back.
func TestVariants(t *testing.T) {
	for _, m := range mains {
		for _, v := range m.variants {
			t.Run(m.agent+"/"+filepath.Base(m.path)+"/"+v.name, func(t *testing.T) {
				t.Parallel()
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
				contains(t, m.path, once, v.text)
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
	if strings.Count(got, "claudemesh") != strings.Count(text, "claudemesh") {
		u.t.Errorf("something is left: %.300q", got)
	}
	if !strings.Contains(text, "{}") && !strings.Contains(text, "[]") { // which go with what was in them
		contains(u.t, path, got, text)
	}
}

// contains tells whether all that one document says stands in another, too.
func contains(t *testing.T, path, have, want string) {
	t.Helper()
	for _, c := range remark.FindAllString(want, -1) {
		if !strings.HasPrefix(c, `"`) && !strings.Contains(have, strings.TrimRight(c, "\r")) {
			t.Errorf("%q is gone from %.300q", c, have)
		}
	}
	if strings.HasSuffix(path, ".toml") {
		containsTOML(t, have, want)
		return
	}
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

// remark finds comments; a string, which may look like one, is found as itself.
var remark = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|//.*|#.*|/\*.*?\*/`)

func containsTOML(t *testing.T, have, want string) {
	t.Helper()
	rest := statements(t, have)
	for _, w := range statements(t, want) {
		i := slices.Index(rest, w)
		if i < 0 {
			t.Fatalf("no %s, or elsewhere, in %.300q", w, have)
		}
		rest = rest[i+1:]
	}
}

func statements(t *testing.T, text string) []string {
	t.Helper()
	all, err := tomltext.Scan([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, st := range all {
		out = append(out, fmt.Sprintf("%q %q %v %s", st.Table, st.Key, st.List, text[st.Value[0]:st.Value[1]]))
	}
	return out
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

// At least thirty variants of each file, and of each agent's main file those that are
// no matter of its content.
func TestFilesOfOtherKinds(t *testing.T) {
	for _, m := range mains {
		if len(m.variants) < 30 {
			t.Errorf("%s: %d variants", m.path, len(m.variants))
		}
		folder, name := filepath.Split(m.path)
		path := func(u *user) string { return filepath.Join(u.home, m.path) }
		run := func(name string, do func(t *testing.T, u *user)) {
			t.Run(m.agent+"/"+filepath.Base(m.path)+"/"+name, func(t *testing.T) { t.Parallel(); do(t, newUser(t)) })
		}
		refused := func(u *user) {
			u.t.Helper()
			u.check(m.agent, m.path, u.install(m.agent), true)
		}
		run("read-only", func(t *testing.T, u *user) {
			u.write(m.path, m.usual)
			mode(t, path(u), 0o444)
			refused(u)
			u.same(m.path, m.usual)
		})
		run("read-only later", func(t *testing.T, u *user) {
			u.write(m.path, m.usual)
			u.install(m.agent)
			ours := u.read(m.path)
			mode(t, path(u), 0o444)
			u.check(m.agent, m.path, u.uninstall(m.agent), true)
			u.same(m.path, ours)
		})
		run("link", func(t *testing.T, u *user) {
			u.write("dotfiles/real", m.usual)
			u.write(folder+"x", "")
			link(t, filepath.Join(strings.Repeat("../", strings.Count(m.path, "/")), "dotfiles/real"), path(u))
			u.install(m.agent)
			if !strings.Contains(u.read("dotfiles/real"), "claudemesh") {
				t.Error("what it leads to was not written")
			}
			if info, err := os.Stat(path(u)); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("other rights: %v, %v", info, err)
			}
			u.uninstall(m.agent)
			u.same("dotfiles/real", m.usual)
			if info, err := os.Lstat(path(u)); err != nil || info.Mode()&os.ModeSymlink == 0 {
				t.Errorf("the link is gone: %v, %v", info, err)
			}
		})
		run("link to nothing yet", func(t *testing.T, u *user) {
			u.write("dotfiles/x", "")
			u.write(folder+"x", "")
			link(t, filepath.Join(u.home, "dotfiles", name), path(u))
			u.install(m.agent)
			if !strings.Contains(u.read("dotfiles/"+name), "claudemesh") {
				t.Error("what it leads to was not written")
			}
			u.uninstall(m.agent)
			if _, err := os.Lstat(path(u)); err != nil {
				t.Errorf("the link is gone: %v", err)
			}
		})
		run("folder", func(_ *testing.T, u *user) {
			u.write(m.path+"/x", "")
			refused(u)
		})
		run("circle", func(t *testing.T, u *user) {
			u.write(folder+"x", "")
			link(t, name, path(u))
			refused(u)
		})
		run("other rights", func(t *testing.T, u *user) {
			u.write(m.path, m.usual)
			mode(t, path(u), 0o600)
			u.install(m.agent)
			if info, err := os.Stat(path(u)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("other rights: %v, %v", info, err)
			}
		})
	}
}

// same tells whether a file is as it was.
func (u *user) same(path, text string) {
	u.t.Helper()
	if got := u.read(path); got != text {
		u.t.Errorf("%s: %.300q, not %.300q", path, got, text)
	}
}

func mode(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}
