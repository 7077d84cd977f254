package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/claudemesh/claudemesh/cli/commands/meshes"
	"github.com/claudemesh/claudemesh/cli/commands/session"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

// launching puts the word launch before arguments that begin with a flag and name no
// command: `claudemesh --resume x` starts what `claudemesh launch --resume x` does. Help
// and the version go first, and a link alone stays one.
func launching(root *cobra.Command, args []string) []string {
	own := ownWords(args)
	if len(own) == 0 && len(args) > 0 {
		return append([]string{session.LaunchWord}, args...) // "--" and words for Claude Code
	}
	if len(own) == 0 || !strings.HasPrefix(own[0], "-") || own[0] == "-" {
		return args
	}
	for _, w := range own {
		if slices.Contains([]string{"--help", "-h", "--version", "-V"}, w) {
			return args
		}
	}
	word := firstWord(root, own)
	switch {
	case word == "", run.IsLink(word) && !onlyJoins(own):
	case isCommand(root, word), run.IsLink(word), !launchesOnly(root, own):
		return args // a command, or what is meant to be one
	}
	return append([]string{session.LaunchWord}, args...)
}

// launchesOnly tells whether there is a flag that no command but launch has.
func launchesOnly(root *cobra.Command, own []string) bool {
	cmd, _, err := root.Find([]string{session.LaunchWord})
	if err != nil {
		return false
	}
	return slices.ContainsFunc(own, func(w string) bool {
		name, _, _ := strings.Cut(w, "=")
		return strings.HasPrefix(w, "-") && w != "-" && root.PersistentFlags().Lookup(strings.TrimLeft(name, "-")) == nil && hasFlag(cmd.LocalNonPersistentFlags(), name)
	})
}

// hasFlag tells whether a set has a flag, by its long or short name with its dashes.
func hasFlag(set *pflag.FlagSet, word string) bool {
	if name, long := strings.CutPrefix(word, "--"); long {
		return set.Lookup(name) != nil
	}
	return len(word) == 2 && set.ShorthandLookup(word[1:]) != nil
}

// onlyJoins tells whether there are flags that join knows and launch does not, or whose
// answer is a document.
func onlyJoins(own []string) bool {
	return slices.ContainsFunc(own, func(w string) bool { return w == "--as" || strings.HasPrefix(w, "--as=") || w == "--json" })
}

// firstWord is the first argument that is neither a flag nor the value of one.
func firstWord(root *cobra.Command, own []string) string {
	cmd, _, err := root.Find([]string{session.LaunchWord})
	if err != nil {
		return ""
	}
	for i := 0; i < len(own); i++ {
		w := own[i]
		if !strings.HasPrefix(w, "-") || w == "-" {
			return w
		}
		if !strings.Contains(w, "=") && takesValue(w, root.PersistentFlags(), root.Flags(), cmd.Flags()) {
			i++
		}
	}
	return ""
}

// takesValue tells whether the word behind a flag is its value.
func takesValue(word string, sets ...*pflag.FlagSet) bool {
	for _, set := range sets {
		var f *pflag.Flag
		if name, long := strings.CutPrefix(word, "--"); long {
			f = set.Lookup(name)
		} else {
			f = set.ShorthandLookup(word[len(word)-1:])
		}
		if f != nil {
			return f.NoOptDefVal == ""
		}
	}
	return false
}

func isCommand(root *cobra.Command, word string) bool {
	return slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == word || c.HasAlias(word) })
}

// welcome is the command alone. On a terminal it launches, which begins with a welcome
// for who is in no mesh.
func (a *app) welcome(cmd *cobra.Command) error {
	if !session.Asks(a.App) {
		out, err := run.Call(cmd.Context(), a.App, mesh.List, mesh.ListRequest{})
		if err != nil {
			return err
		}
		if len(out.Meshes) == 0 {
			return op.Errorf(op.NotFound, "you are in no mesh").
				WithHint("`claudemesh new <name>` makes one, `claudemesh join <link>` joins one; `claudemesh --help` lists all commands")
		}
	}
	return a.launchWith(cmd, nil)
}

// joinAndLaunch is a link as the only word. Without a person it joins.
func (a *app) joinAndLaunch(cmd *cobra.Command, link, as string) error {
	if !session.Asks(a.App) {
		if err := meshes.Join(cmd.Context(), a.App, link, as); err != nil {
			return err
		}
		a.Term.Note("%s Start Claude Code there: %s", term.To, term.Cyan("claudemesh launch"))
		return nil
	}
	words := []string{"--join", link}
	if as != "" {
		words = append(words, "--name", as)
	}
	return a.launchWith(cmd, words)
}

// launchWith runs launch as if it had been typed, with the flags of every command as
// they are.
func (a *app) launchWith(cmd *cobra.Command, words []string) error {
	to, _, err := cmd.Root().Find([]string{session.LaunchWord})
	if err != nil {
		return err
	}
	if err := to.ParseFlags(words); err != nil {
		return flagError(to, err)
	}
	to.SetContext(cmd.Context())
	return to.RunE(to, nil)
}
