package setup_test

import (
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

// Where nothing can be noted, nothing is written: a file that is told to be left as it is
// was left so.
func TestNothingIsWrittenThatCannotBeNoted(t *testing.T) {
	u := newUser(t)
	u.write("copies", "a file where the folder should be")
	for _, c := range u.install("claude") {
		if c.Result != setup.Refused {
			t.Errorf("%s: %s", c.Path, c.Result)
		}
		if _, err := os.Stat(c.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was written: %v", c.Path, err)
		}
	}
}
