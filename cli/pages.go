package cli

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/manual"
)

// manNotes are the last sections of the first man page.
var manNotes = [][2]string{
	{"output", "Text goes to stdout, notes and errors to stderr. With --json stdout is one object whose first key is schema_version, also for a failure."},
	{"exit status", "  0  done\n  1  interrupted, or a check that failed\n  2  an invite or token is over or not accepted\n  3  typed wrong\n" +
		"  4  cannot be reached, or not now\n  5  no such mesh, peer, message, operation\n  6  exists already\n  7  not allowed\n  8  a fault of the program"},
	{"environment", "CLAUDEMESH_CONFIG_DIR names the claudemesh folder, by default ~/.claudemesh. docs/cli.md lists the other variables."},
}

// ManPages are the man pages of all commands, by the names of their files.
func ManPages(version string) map[string]string {
	out := map[string]string{}
	for _, cmd := range manual.All(Commands()) {
		name, page := manual.Man(cmd, version, manNotes)
		out[name] = page
	}
	return out
}

// Pages are the pages about commands below docs/, by their paths: commands.md, and the
// schemas of what is printed with --json.
func Pages() (map[string][]byte, error) {
	out := map[string][]byte{"commands.md": []byte(manual.Markdown(Commands(), schemaPath))}
	schemas, err := Schemas()
	if err != nil {
		return nil, err
	}
	for name, s := range schemas {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s); err != nil {
			return nil, err
		}
		out[schemaFile(name)] = text.Bytes()
	}
	return out, nil
}

func schemaFile(name string) string { return "schema/" + name + ".json" }

// schemaPath is where the schema of a command's document is, from the page of commands.
func schemaPath(cmd *cobra.Command) string {
	switch name := SchemaOf(cmd); name {
	case "":
		return ""
	case answersFolder:
		return strings.TrimSuffix(schemaFile(name), ".json")
	default:
		return schemaFile(name)
	}
}
