package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// value is a right one for any flag that takes one.
func value(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int", "float64":
		return "7"
	case "duration":
		return "7s"
	}
	return "seven"
}

// parse reads words as cmd does, and returns the flag's value and the words left.
func parse(t *testing.T, path []string, flag string, words ...string) (got string, changed bool, rest []string) {
	t.Helper()
	cmd, rest, err := Commands().Find(append(slices.Clone(path), words...))
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil {
		t.Fatalf("%v %v: %v", path, words, err)
	}
	f := cmd.Flags().Lookup(flag)
	return f.Value.String(), f.Changed, cmd.Flags().Args()
}

// Catalogue 12: a flag ate the next word. For every flag of every command: one that
// is a switch leaves the next word alone, one with a value takes that and no more,
// however it is joined to it, and all that whether words come before or after it.
func TestFlagsTakeTheirOwnWords(t *testing.T) {
	seen := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		if cmd.DisableFlagParsing {
			return // to it no word is a flag
		}
		cmd.InheritedFlags() // merges them into Flags
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			seen++
			t.Run(cmd.CommandPath()+" --"+f.Name, func(t *testing.T) { oneFlag(t, path, f) })
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(Commands())
	if seen < 100 {
		t.Errorf("%d flags were looked at", seen)
	}
}

func oneFlag(t *testing.T, path []string, f *pflag.Flag) {
	type form struct {
		words []string
		want  string
	}
	v := value(f)
	forms := []form{
		{[]string{"--" + f.Name, v}, v},
		{[]string{"--" + f.Name + "=" + v}, v},
	}
	if f.Shorthand != "" {
		forms = append(forms, form{[]string{"-" + f.Shorthand, v}, v}, form{[]string{"-" + f.Shorthand + v}, v})
	}
	if f.Value.Type() == "bool" {
		forms = []form{
			{[]string{"--" + f.Name}, "true"},
			{[]string{"--" + f.Name + "=true"}, "true"},
			{[]string{"--" + f.Name + "=false"}, "false"},
		}
		if f.Shorthand != "" {
			forms = append(forms, form{[]string{"-" + f.Shorthand}, "true"})
		}
	}
	for _, c := range forms {
		for _, words := range [][]string{
			slices.Concat(c.words, []string{"next", "word"}),
			slices.Concat([]string{"next"}, c.words, []string{"word"}),
			slices.Concat([]string{"next", "word"}, c.words),
		} {
			got, changed, rest := parse(t, path, f.Name, words...)
			if strings.Trim(got, "[]") != c.want || !changed {
				t.Errorf("%v: --%s is %q", words, f.Name, got)
			}
			if !slices.Equal(rest, []string{"next", "word"}) {
				t.Errorf("%v: the words left are %q", words, rest)
			}
		}
	}
	// Behind -- nothing is a flag.
	got, changed, rest := parse(t, path, f.Name, "next", "--", "--"+f.Name)
	if changed || got != f.DefValue || !slices.Equal(rest, []string{"next", "--" + f.Name}) {
		t.Errorf("behind --: %q, %q", got, rest)
	}
}
