package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
)

// typed runs a command that needs no node.
func typed(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	dir := t.TempDir()
	status = Main(t.Context(), run.Env{
		Args: args, In: strings.NewReader(""), Out: &o, Err: &e, Version: "1.2.3",
		Getenv: func(name string) string {
			return map[string]string{"CLAUDEMESH_CONFIG_DIR": dir, "CLAUDEMESH_AUTOSTART": "0"}[name]
		},
		Environ: os.Environ,
	})
	return status, o.String(), e.String()
}

func TestWhatIsTypedWrong(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		want   []string // on stderr
	}{
		{"zork", 3, []string{`"claudemesh zork"`, "claudemesh --help"}},
		{"per", 3, []string{"claudemesh peer"}},
		{"pers", 3, []string{"claudemesh peers"}},
		{"sned bob hi", 3, []string{"claudemesh send"}},
		{"node statsu", 3, []string{"claudemesh node status"}},
		{"peers --jsno", 3, []string{"--jsno", "--json"}},
		{"peers -z", 3, []string{"-z"}},
		{"peers bob", 3, []string{`"bob"`}},
		{"--mesh", 3, []string{"--mesh"}},
		{"join", 3, []string{"join <link>"}},
		{"send bob", 3, []string{"send <to> <message…>"}},
		{"inbox --wait x", 3, []string{"--wait"}},
		{"inbox --wait=-1", 3, []string{"--wait"}},
		{"invite --uses many", 3, []string{"--uses"}},
		{"invite --uses 0", 3, []string{"--uses cannot be 0", "1 to 1000"}},
		{"invite bob", 3, []string{`"bob" is no e-mail address`}},
		{"inbox --wait nan", 3, []string{"--wait cannot be NaN", "86400"}},
		{"inbox --wait inf", 3, []string{"--wait"}},
		{"inbox --limit 0", 3, []string{"--limit cannot be 0"}},
		{"inbox --limit -3", 3, []string{"--limit"}},
		{"send bob hi --priority urgent", 3, []string{`"urgent"`, "idle"}},
		{"send bob -", 3, []string{"the message is empty", "stdin"}},
		{"send bob \xff", 3, []string{"argument 3 is not valid UTF-8"}},
		{"state get", 3, []string{"state get <key>"}},
		{"state set k", 3, []string{"state set <key> <value>"}},
		{"state st", 3, []string{"claudemesh state set"}},
		{"group join", 3, []string{"group join <name>"}},
		{"group jion x", 3, []string{"claudemesh group join"}},
		{"status set busy", 3, []string{`"busy"`, "idle, working, dnd"}},
		{"status sett", 3, []string{"claudemesh status set"}},
		{"visible maybe", 3, []string{"on or off"}},
		{"profile ana", 3, []string{`"ana"`}},
		{"profile --role x", 3, []string{"--role", "--role-tag"}},
		{"profile --message-mode loud", 3, []string{`"loud"`, "push"}},
		{"profile --member ben --bio x", 3, []string{"yourself"}},
		{"ping --priority soon", 3, []string{`"soon"`, "now, next, low"}},
		{"call", 3, []string{"--list"}},
		{"call peers.lst", 5, []string{"peers.list"}},
		{"call peers.list {", 3, []string{"JSON"}},
		{"help zork", 3, []string{"zork"}},
		{"http://example.org/x", 3, []string{"example.org"}},
		{"peers", 4, []string{"CLAUDEMESH_AUTOSTART=0"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, errs := typed(t, strings.Fields(c.args)...)
			if status != c.status || out != "" {
				t.Errorf("status %d, stdout %q", status, out)
			}
			for _, w := range c.want {
				if !strings.Contains(errs, w) {
					t.Errorf("stderr lacks %q: %q", w, errs)
				}
			}
			if lines := strings.Count(errs, "\n"); lines != 2 {
				t.Errorf("not one sentence and one next step: %q", errs)
			}
		})
	}
}

func TestFailuresAreDocuments(t *testing.T) {
	for _, args := range []string{"--json zork", "peers --jsno --json", "peers --json", "call nothing --json"} {
		status, out, errs := typed(t, strings.Fields(args)...)
		var doc struct {
			Version string `json:"schema_version"`
			OK      *bool  `json:"ok"`
			Error   term.Failure
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatalf("%s: %q: %v", args, out, err)
		}
		if status == 0 || doc.OK == nil || *doc.OK || doc.Error.Message == "" || doc.Error.Hint == "" || errs != "" {
			t.Errorf("%s: %d, %+v, %q", args, status, doc, errs)
		}
		if !strings.HasPrefix(out, "{\n  \"schema_version\": \"1.0\",\n") {
			t.Errorf("%s: %q", args, out)
		}
	}
}

func TestVersionAndHelpComeFirst(t *testing.T) {
	for _, args := range []string{"--version", "-V"} {
		if status, out, _ := typed(t, args); status != 0 || out != "  claudemesh v1.2.3\n" {
			t.Errorf("%s: %d, %q", args, status, out)
		}
	}
	for _, args := range []string{"--help", "-h", "help", "--help send", "send --help", "help send", "node", "send -h bob"} {
		status, out, errs := typed(t, strings.Fields(args)...)
		if status != 0 || errs != "" || !strings.Contains(out, "Usage") {
			t.Errorf("%s: %d, %q, %q", args, status, out, errs)
		}
	}
}

// Flags may stand anywhere, and none swallows a word that is not its value.
func TestFlagsAndWords(t *testing.T) {
	for _, args := range []string{"--json peers", "peers --json", "-q --json peers", "--json -y peers", "--mesh=x --json peers", "peers --mesh x --json"} {
		if status, out, _ := typed(t, strings.Fields(args)...); status != 4 || !strings.Contains(out, `"unavailable"`) {
			t.Errorf("%s: %d, %q", args, status, out)
		}
	}
}

// Every operation that names a command has it.
func TestOperationsHaveTheirCommands(t *testing.T) {
	root := Commands()
	for _, k := range node.Catalogue() {
		if k.Names.CLI == "" {
			continue
		}
		words := strings.Fields(k.Names.CLI)
		if i := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:1], "<[") }); i >= 0 {
			words = words[:i]
		}
		cmd, rest, err := root.Find(words)
		if err != nil || cmd == root || len(rest) > 0 {
			t.Errorf("%s: there is no command %q", k.ID, k.Names.CLI)
			continue
		}
		use, _, _ := strings.Cut(cmd.Use, " [")
		if typed := strings.TrimPrefix(strings.TrimSuffix(cmd.CommandPath(), cmd.Name())+use, "claudemesh "); !strings.HasPrefix(k.Names.CLI, typed) {
			t.Errorf("%s: it says %q, the command %q", k.ID, k.Names.CLI, typed)
		}
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 72 {
			t.Errorf("%s: %q", c.CommandPath(), c.Short)
		}
		if c.RunE == nil {
			t.Errorf("%s does nothing", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(Commands())
}

func TestWithoutAHome(t *testing.T) {
	var out, errs bytes.Buffer
	t.Setenv("HOME", "")
	status := Main(t.Context(), run.Env{
		Args: []string{"list"}, In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" }, Environ: os.Environ,
	})
	if status != 3 || !strings.Contains(errs.String(), "set HOME") {
		t.Errorf("%d, %q", status, errs.String())
	}
}

func TestStdinThatIsNoText(t *testing.T) {
	var out, errs bytes.Buffer
	status := Main(t.Context(), run.Env{
		Args: []string{"send", "bob", "-"}, In: strings.NewReader("a\xffb"), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" }, Environ: os.Environ,
	})
	if status != 3 || !strings.Contains(errs.String(), "stdin is not valid UTF-8") {
		t.Errorf("%d, %q", status, errs.String())
	}
}

// full is a stdout with no room left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestNothingIsDoneThatCouldNotBeTold(t *testing.T) {
	for _, args := range []string{"--version", "--version --json", "--help", "call --list", "call --list --json", "call peers.list --schema", "node status"} {
		var errs bytes.Buffer
		dir := t.TempDir()
		status := Main(t.Context(), run.Env{
			Args: strings.Fields(args), In: strings.NewReader(""), Out: full{}, Err: &errs, Version: "1",
			Getenv: func(name string) string {
				return map[string]string{"CLAUDEMESH_CONFIG_DIR": dir}[name]
			},
			Environ: os.Environ,
		})
		if status != 8 || !strings.Contains(errs.String(), "✘ stdout cannot be written: no space left") || strings.Count(errs.String(), "✘") != 1 {
			t.Errorf("%s: %d, %q", args, status, errs.String())
		}
	}
}
