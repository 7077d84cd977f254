package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/claudemesh/claudemesh/cli"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
)

// TestReferenceIsCurrent compares the page with the operations.
func TestReferenceIsCurrent(t *testing.T) {
	written(t, "docs", map[string][]byte{"reference.md": []byte(reference(t))}, "make docs")
}

func reference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Reference of operations\n\n<!-- Written by `make docs`. -->\n\n" +
		"Everything that can be asked of a node. `claudemesh call ID '{…}'` asks for any of\n" +
		"them; those with a tool are tools of the MCP server, those with a command have one.\n" +
		"A request may leave out fields without \"needed\".\n")
	for _, k := range node.Catalogue() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", k.ID, k.Doc)
		for _, f := range facts(k) {
			fmt.Fprintf(&b, "- %s\n", f)
		}
		writeFields(t, &b, request, k.Input)
		writeFields(t, &b, response, k.Output)
	}
	return b.String()
}

func facts(k op.Contract) []string {
	var out []string
	if k.Names.Tool != "" {
		out = append(out, "tool `"+k.Names.Tool+"`")
	}
	if k.Names.CLI != "" {
		out = append(out, "command `claudemesh "+k.Names.CLI+"`")
	}
	if path := cli.Resource(k); path != "" && !strings.HasPrefix(k.Names.CLI, path) {
		out = append(out, "command `claudemesh "+path+"`, by resource and verb")
	}
	if k.Place == op.AtPeer {
		out = append(out, "asked by the nodes of other members")
	}
	return append(out, "right `"+string(k.Needs)+"`")
}

// Titles of the two tables of an operation.
const (
	request  = "Request"
	response = "Response"
)

func writeFields(t *testing.T, b *strings.Builder, title string, schema func() (*jsonschema.Schema, error)) {
	t.Helper()
	s, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(b, "\n%s:", title)
	if len(s.Properties) == 0 {
		b.WriteString(" empty.\n")
		return
	}
	b.WriteString("\n\n| field | type | |\n|---|---|---|\n")
	required := s.Required
	if title == response {
		required = nil // all but the optional are there
	}
	rows(b, s, required, "")
}

// rows writes a line per property; those of a list's elements follow it as
// name[].inner.
func rows(b *strings.Builder, s *jsonschema.Schema, required []string, prefix string) {
	for _, name := range order(s) {
		p := s.Properties[name]
		note := p.Description
		if slices.Contains(required, name) {
			note = strings.TrimSuffix("needed; "+note, "; ")
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", prefix, name, typeOf(p), strings.ReplaceAll(note, "|", `\|`))
		switch {
		case p.Items != nil && len(p.Items.Properties) > 0:
			rows(b, p.Items, nil, prefix+name+"[].")
		case len(p.Properties) > 0:
			rows(b, p, nil, prefix+name+".")
		}
	}
}

// order is the order of the fields in the source, where the schema keeps it.
func order(s *jsonschema.Schema) []string {
	if len(s.PropertyOrder) == len(s.Properties) {
		return s.PropertyOrder
	}
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func typeOf(s *jsonschema.Schema) string {
	switch {
	case len(s.Enum) > 0:
		var words []string
		for _, v := range s.Enum {
			words = append(words, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(words, ", ")
	case len(s.OneOf) > 0:
		var words []string
		for _, o := range s.OneOf {
			words = append(words, typeOf(o))
		}
		return strings.Join(words, " or ")
	case s.Type == "array" && s.Items != nil:
		return "list of " + typeOf(s.Items)
	case s.Type == "":
		return "any"
	}
	return s.Type
}
