package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Man is the man page of a command, in roff, and the name of its file. Version is the
// program's; notes are further sections of the first page, by their titles.
func Man(cmd *cobra.Command, version string, notes [][2]string) (name, page string) {
	c := Of(cmd)
	name = strings.ReplaceAll(c.Command, " ", "-")
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"claudemesh %s\"\n", strings.ToUpper(roff(name)), roff(version))
	section(&b, "name")
	fmt.Fprintf(&b, "%s \\- %s\n", roff(name), roff(c.Short))
	section(&b, "synopsis")
	fmt.Fprintf(&b, ".B %s\n", roff(c.Usage))
	for _, other := range c.Also {
		fmt.Fprintf(&b, ".br\n.B %s\n", roff(other))
	}
	section(&b, "description")
	about := c.About
	if about == "" {
		about = c.Short + "."
	}
	text(&b, about)
	if len(c.Commands) > 0 {
		section(&b, "commands")
		for _, sub := range c.Commands {
			item(&b, strings.TrimPrefix(sub.Usage, c.Command+" "), sub.Short+".")
		}
	}
	flags(&b, "options", c.Flags)
	flags(&b, "options of every command", c.Global)
	if len(c.Examples) > 0 {
		section(&b, "examples")
		b.WriteString(".nf\n")
		for _, line := range c.Examples {
			b.WriteString(roff(line) + "\n")
		}
		b.WriteString(".fi\n")
	}
	if cmd.HasParent() {
		section(&b, "see also")
		fmt.Fprintf(&b, ".BR %s (1)\n", roff(strings.ReplaceAll(cmd.Parent().CommandPath(), " ", "-")))
		return name + ".1", b.String()
	}
	for _, note := range notes {
		section(&b, note[0])
		text(&b, note[1])
	}
	return name + ".1", b.String()
}

func section(b *strings.Builder, title string) {
	fmt.Fprintf(b, ".SH %s\n", strings.ToUpper(title))
}

func flags(b *strings.Builder, title string, all []Flag) {
	if len(all) == 0 {
		return
	}
	section(b, title)
	for _, f := range all {
		about := f.About
		if f.Default != "" && f.Default != "0" {
			about += " (default " + f.Default + ")"
		}
		item(b, f.Typed(), about)
	}
}

func item(b *strings.Builder, term, about string) {
	fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(term), roff(about))
}

// text writes paragraphs, and lines that are indented as they are.
func text(b *strings.Builder, all string) {
	for line := range strings.Lines(all) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			b.WriteString(".PP\n")
		case strings.HasPrefix(line, " "):
			fmt.Fprintf(b, ".br\n\\&%s\n", strings.ReplaceAll(roff(line), "  ", "\\ \\ "))
		default:
			b.WriteString(roff(line) + "\n")
		}
	}
}

// roff takes the meaning from characters that have one there.
func roff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
