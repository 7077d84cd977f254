package completions

import (
	"bytes"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/node/op"
)

// shells are those that can be completed in, and what writes the script for each.
var shells = map[string]func(*cobra.Command, *bytes.Buffer) error{
	"bash":       bashScript,
	"zsh":        func(root *cobra.Command, to *bytes.Buffer) error { return root.GenZshCompletion(to) },
	"fish":       func(root *cobra.Command, to *bytes.Buffer) error { return root.GenFishCompletion(to, true) },
	"powershell": func(root *cobra.Command, to *bytes.Buffer) error { return root.GenPowerShellCompletionWithDesc(to) },
}

// scriptDoc is a completion script.
type scriptDoc struct {
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

func (a *app) completionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "completions <bash|zsh|fish|powershell>", Aliases: []string{"completion"},
		Short: "Print the script that completes commands in a shell",
		Long: "Print the script that completes commands, flags and values in a shell: also the names of\n" +
			"meshes, peers, groups, sessions and shared keys, as the node knows them. No node is\n" +
			"started for that, and one that does not answer at once is not waited for. Names with\n" +
			"characters that a shell acts on are left out.\n\n" +
			"  bash        source <(claudemesh completions bash)     in ~/.bashrc\n" +
			"  zsh         source <(claudemesh completions zsh)      in ~/.zshrc, behind compinit\n" +
			"  fish        claudemesh completions fish | source      in ~/.config/fish/config.fish\n" +
			"  powershell  claudemesh completions powershell | Out-String | Invoke-Expression\n" +
			"              in $PROFILE",
		Example: "claudemesh completions bash",
		Args:    run.Words(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := shells[args[0]]
			if !ok {
				near := run.Nearest(args[0], []string{"bash", "zsh", "fish", "powershell"})
				return op.Errorf(op.Invalid, "there are no completions for %q", args[0]).
					WithHint("%s", run.OrNearest(near, op.Phrasef("there are bash, zsh, fish and powershell")))
			}
			var script bytes.Buffer
			if err := write(cmd.Root(), &script); err != nil {
				return err
			}
			return run.Show(a.App, scriptDoc{args[0], script.String()}, func(d scriptDoc) { a.Term.Bare(strings.TrimSuffix(d.Script, "\n")) })
		},
	}
}

// repairs are what the script for bash needs beyond what the library writes: words that
// begin with @ or have one in them, and a bash without the package bash-completion.
var repairs = [][2]string{
	{"_init_completion -n =:", "_init_completion -n =:@"},
	{"    __claudemesh_handle_special_char \"$cur\" =\n", "    __claudemesh_handle_special_char \"$cur\" =\n    __claudemesh_handle_special_char \"$cur\" @\n"},
	{"    _get_comp_words_by_ref \"$@\" cur prev words cword\n", `    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local line=${COMP_LINE:0:COMP_POINT}
    read -ra words <<<"${line}"
    if [[ ${line} == *[[:blank:]] ]]; then
        words+=("")
    fi
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=${words[cword - 1]}
`},
}

func bashScript(root *cobra.Command, to *bytes.Buffer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	text := script.String()
	for _, r := range repairs {
		if !strings.Contains(text, r[0]) {
			return op.Errorf(op.Internal, "the script for bash has no %q", r[0])
		}
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	_, err := to.WriteString(text)
	return err
}

// Completing tells whether a shell asks for what could be typed next.
func Completing(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// Complete lets each command below root tell what its words and flags can be.
func Complete(in *run.App, root *cobra.Command) error { return (&app{in}).complete(root) }

func (a *app) complete(root *cobra.Command) error {
	for _, cmd := range slices.Concat([]*cobra.Command{root}, root.Commands()) {
		if cmd != root {
			if err := a.complete(cmd); err != nil {
				return err
			}
			continue
		}
		if cmd.HasParent() {
			cmd.ValidArgsFunction = a.completeWords
		}
		if err := a.completeFlags(cmd); err != nil {
			return err
		}
	}
	return nil
}

// completeWords completes the words of a command by how its usage calls them.
func (a *app) completeWords(cmd *cobra.Command, typed []string, word string) ([]string, cobra.ShellCompDirective) {
	places := placesOf(cmd)
	if len(places) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if len(typed) >= len(places) && !places[len(places)-1].several {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	at := places[min(len(typed), len(places)-1)]
	if slices.Contains(at.names, "file") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.candidates(at, word), cobra.ShellCompDirectiveNoFileComp
}

// completeFlags completes the values of a command's own flags.
func (a *app) completeFlags(cmd *cobra.Command) error {
	for name, at := range flagPlaces(cmd) {
		err := cmd.RegisterFlagCompletionFunc(name, func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			if slices.Contains(at.names, "file") {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return a.candidates(at, word), cobra.ShellCompDirectiveNoFileComp
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// place is where something can be typed: names of what the node knows, or the words
// themselves.
type place struct {
	names   []string
	several bool // as many words as one likes
	list    bool // separated by commas
}

// placesOf reads how a command is typed.
func placesOf(cmd *cobra.Command) []place {
	use := strings.ReplaceAll(strings.Map(func(r rune) rune {
		if r == '[' || r == ']' {
			return -1
		}
		return r
	}, cmd.Use), " | ", "|")
	var out []place
	for _, token := range strings.Fields(use)[1:] {
		p := place{several: strings.Contains(token, "…")}
		for name := range strings.SplitSeq(strings.Trim(strings.NewReplacer("<", "", ">", "", "…", "").Replace(token), "|"), "|") {
			p.names = append(p.names, namedIn(cmd, name))
		}
		p.list = slices.Contains(p.names, "to")
		out = append(out, p)
	}
	return out
}

// namedIn is what a placeholder stands for in one command.
func namedIn(cmd *cobra.Command, name string) string {
	if other, ok := others[cmd.CommandPath()+" <"+name+">"]; ok {
		return other
	}
	return name
}
