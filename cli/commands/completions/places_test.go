package completions_test

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli"
	"github.com/claudemesh/claudemesh/cli/commands/completions"
)

// free are placeholders for what nobody can guess.
var free = []string{
	"name", "message", "email", "id", "link", "json", "value", "text", "event", "command",
}

// What the usage of a command calls for is completed, is free text, or is a file.
func TestPlaceholdersAreKnown(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, names := range completions.Placeholders(c) {
			for _, name := range names {
				if !completions.Completed(name) && len(names) == 1 && name != "file" && !slices.Contains(free, name) {
					t.Errorf("%s: <%s> is not completed: add a source, or add it to what is free", c.UseLine(), name)
				}
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(cli.Commands())
}
