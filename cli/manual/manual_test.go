package manual_test

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/cli/manual"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "boat", Short: "Sails"}
	root.PersistentFlags().Bool("json", false, "print one document")
	sail := &cobra.Command{
		Use: "sail <where>", Aliases: []string{"go"}, Short: "Go somewhere", Run: func(*cobra.Command, []string) {},
		Long: "Go somewhere.\n\n  .fast  with wind\n'slow'  without", Example: "boat sail home\nboat sail -n 2 away",
		Annotations: map[string]string{manual.Also: "boat trip sail"},
	}
	sail.Flags().IntP("crew", "n", 3, "how `many` sail | row")
	trip := &cobra.Command{Use: "trip", Short: "Trips", Annotations: map[string]string{manual.Holds: "yes", manual.Listed: "no"}}
	trip.AddCommand(&cobra.Command{Use: "plan", Short: "Plan one", Run: func(*cobra.Command, []string) {}})
	root.AddCommand(sail, trip, &cobra.Command{Use: "sink", Hidden: true})
	return root
}

func TestACommandAsItIsExplained(t *testing.T) {
	root := tree()
	sail, _, err := root.Find([]string{"sail"})
	if err != nil {
		t.Fatal(err)
	}
	c := manual.Of(sail)
	if c.Usage != "boat sail <where> [flags]" || strings.Join(c.Also, " ") != "boat go boat trip sail" || len(c.Examples) != 2 ||
		len(c.Flags) != 1 || c.Flags[0].Typed() != "-n, --crew <many>" || c.Flags[0].Default != "3" || len(c.Global) != 1 {
		t.Errorf("%+v", c)
	}
	var names []string
	for _, cmd := range manual.All(root) {
		names = append(names, cmd.CommandPath())
	}
	if got := strings.Join(names, ", "); got != "boat, boat sail, boat trip plan" {
		t.Errorf("listed: %s", got)
	}
	name, page := manual.Man(sail, "1", nil)
	for _, want := range []string{".TH BOAT\\-SAIL 1", "boat trip sail", ".fast\\ \\ with", "\\&'slow'", "(default 3)", ".BR boat (1)"} {
		if name != "boat-sail.1" || !strings.Contains(page, want) {
			t.Errorf("%s lacks %q:\n%s", name, want, page)
		}
	}
	text := manual.Markdown(root, func(*cobra.Command) string { return "schema/x.json" })
	for _, want := range []string{"## boat sail\n", "`-n, --crew <many>` | how many sail \\| row (default 3)", "$ boat sail home", "(schema/x.json)", "```text\n  .fast"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "boat trip\n") {
		t.Error("what only holds others has an entry")
	}
}

// Whatever a command says of itself, no line of it becomes a request of roff.
func TestTextStaysText(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		about := rapid.StringOf(rapid.RuneFrom([]rune(".'\\- \nab"))).Draw(r, "about")
		cmd := &cobra.Command{Use: "x", Short: "X", Long: "A" + about, Example: about, Run: func(*cobra.Command, []string) {}}
		_, page := manual.Man(cmd, "1", nil)
		for line := range strings.Lines(page) {
			known := strings.HasPrefix(line, ".TH ") || strings.HasPrefix(line, ".SH ") || strings.HasPrefix(line, ".B ") ||
				line == ".PP\n" || line == ".br\n" || line == ".nf\n" || line == ".fi\n"
			if (line[0] == '.' || line[0] == '\'') && !known {
				r.Fatalf("%q", line)
			}
		}
	})
}
