package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

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
