package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// free are placeholders for what nobody can guess.
var free = []string{
	"name", "message", "email", "id", "link", "json", "value", "text", "event", "command",
}

// What the usage of a command calls for is completed, is free text, or is a file.
func TestPlaceholdersAreKnown(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, p := range placesOf(c) {
			for _, name := range p.names {
				_, known := sources[name]
				if !known && len(p.names) == 1 && name != "file" && !slices.Contains(free, name) {
					t.Errorf("%s: <%s> is not completed: add a source, or add it to what is free", c.UseLine(), name)
				}
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(Commands())
}

// Without a node nothing is said but what is known without one, and none is started.
func TestCompletionsWithoutANode(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"send", ""}, "@all\n:4\n"},
		{[]string{"peers", "--mesh", ""}, ":4\n"},
		{[]string{"state", "get", ""}, ":4\n"},
		{[]string{"group", "join", ""}, ":4\n"},
		{[]string{"status", "set", ""}, "dnd\nidle\nworking\n:4\n"},
		{[]string{"status", "set", "dnd", ""}, ":4\n"},
		{[]string{"visible", "o"}, "off\non\n:4\n"},
		{[]string{"completions", "p"}, "powershell\n:4\n"},
		{[]string{"config", "get", "mcp.t"}, "mcp.tools\n:4\n"},
		{[]string{"peer", "grant", "x", "dm", "state-"}, "state-read\nstate-write\n:4\n"},
		{[]string{"install", "--agent", "claude,cop"}, "claude,copilot\n:4\n"},
		{[]string{"ping", "--priority", "n"}, "next\nnow\n:4\n"},
		{[]string{"peers", "--approve", "p"}, "plan\n:4\n"},
		{[]string{"restore", ""}, ":0\n"},
		{[]string{"policy", "test", "mesh.le"}, "mesh.leave\n:4\n"},
		{[]string{"mesh", "lea"}, "leave\tLeave a mesh and remove its keys from this machine\n:4\n"},
		{[]string{"no", "such", ""}, ":0\n"},
	} {
		status, out, errs := typed(t, append([]string{cobra.ShellCompRequestCmd}, c.words...)...)
		if status != 0 || out != c.want || errs != "" {
			t.Errorf("%q: %d, %q, %q", c.words, status, out, errs)
		}
	}
}

func TestScriptsOfShells(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "__start_claudemesh", "zsh": "#compdef claudemesh", "fish": "complete -c claudemesh", "powershell": "Register-ArgumentCompleter",
	} {
		if status, out, errs := typed(t, "completions", shell); status != 0 || !strings.Contains(out, want) || errs != "" {
			t.Errorf("%s: %d, %q", shell, status, errs)
		}
	}
	for words, want := range map[string]string{"completions": "bash|zsh", "completions bahs": "did you mean bash", "completions bash zsh": `"zsh"`} {
		if status, out, errs := typed(t, strings.Fields(words)...); status != 3 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: %d, %q", words, status, errs)
		}
	}
}

// What peers have named is offered only where it means nothing to a shell: bash puts the
// common beginning of several words on the line as it is, and evaluates the line next.
func TestWordsThatShellsActOnAreNotOffered(t *testing.T) {
	saved := sources["key"]
	defer func() { sources["key"] = saved }()
	sources["key"] = func(*app, string) []string {
		return []string{
			"$(touch x)a", "$(touch x)b", "`id`", "a;b", "a|b", "a&b", "a>b", "{a,b}", "a'b", `a"b`, `a\b`, "!!", "-y", "--yes",
			"_activeHelp_ run this", "a\nb", "a\x1b[31m", "a\u202eb", "", "plain", "with blank", "straße/1.2@x", "a-b",
		}
	}
	got := (&app{}).candidates(place{names: []string{"key"}}, "")
	if want := []string{"a-b", "plain", "straße/1.2@x", "with blank"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
