package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Markdown is the page about all commands below root. schema is the path of the file
// that describes what a command prints with --json, "" if there is none.
func Markdown(root *cobra.Command, schema func(*cobra.Command) string) string {
	var b strings.Builder
	b.WriteString("# Commands\n\n<!-- Written by `make docs`. -->\n\n" +
		"Every command, its words and its flags. What all have in common is on the page about\n" +
		"[the command line](cli.md).\n")
	table(&b, "Flags of every command", Of(root).Flags)
	for _, cmd := range All(root) {
		if cmd.HasParent() {
			entry(&b, cmd, schema(cmd))
		}
	}
	return b.String()
}

func entry(b *strings.Builder, cmd *cobra.Command, schema string) {
	c := Of(cmd)
	fmt.Fprintf(b, "\n## %s\n\n`%s`", c.Command, c.Usage)
	if len(c.Also) > 0 {
		fmt.Fprintf(b, "; also `%s`", strings.Join(c.Also, "`, `"))
	}
	b.WriteString("\n\n")
	about := c.About
	if about == "" {
		about = c.Short + "."
	}
	paragraphs(b, about)
	if len(c.Commands) > 0 {
		b.WriteString("\n")
		for _, sub := range c.Commands {
			fmt.Fprintf(b, "- `%s`: %s.\n", sub.Usage, sub.Short)
		}
	}
	table(b, "", c.Flags)
	if len(c.Examples) > 0 {
		fmt.Fprintf(b, "\n```console\n$ %s\n```\n", strings.Join(c.Examples, "\n$ "))
	}
	if schema != "" {
		fmt.Fprintf(b, "\nWith `--json`: [%s](%s).\n", schema, schema)
	}
}

// paragraphs keeps lines that are indented as they are.
func paragraphs(b *strings.Builder, text string) {
	verbatim := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch in := strings.HasPrefix(line, "  "); {
		case in && !verbatim:
			b.WriteString("\n```text\n")
			verbatim = true
		case !in && verbatim && line != "":
			b.WriteString("```\n\n")
			verbatim = false
		}
		b.WriteString(line + "\n")
	}
	if verbatim {
		b.WriteString("```\n")
	}
}

func table(b *strings.Builder, title string, flags []Flag) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| flag | %s |\n|---|---|\n", title)
	for _, f := range flags {
		about := f.About
		if f.Default != "" && f.Default != "0" {
			about += " (default " + f.Default + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", strings.ReplaceAll(f.Typed(), "|", `\|`), strings.ReplaceAll(about, "|", `\|`))
	}
}
