package cli

import (
	"testing"

	"github.com/spf13/cobra"
)

// undocumented are the commands that print no document but a failure.
var undocumented = map[string]bool{
	"claudemesh mcp": true, "claudemesh hook": true, "claudemesh node run": true, "claudemesh help": true, "claudemesh launch": true,
	"claudemesh open-link": true,
}

// What each command prints with --json is known, and so are the schemas of all.
func TestEveryCommandPublishesItsDocument(t *testing.T) {
	all, err := Schemas()
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		paths[c.CommandPath()] = true
		name := SchemaOf(c)
		switch {
		case undocumented[c.CommandPath()]:
		case name == "":
			t.Errorf("what `%s --json` prints is not known: add a line to documents", c.CommandPath())
		case all[name] == nil && name != answersFolder:
			t.Errorf("there is no schema %s of %s", name, c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(Commands())
	for path := range documents() {
		if !paths[path] {
			t.Errorf("documents has %q, which is no command", path)
		}
	}
}
