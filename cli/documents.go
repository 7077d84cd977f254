package cli

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/commands/completions"
	"github.com/claudemesh/claudemesh/cli/commands/machine"
	"github.com/claudemesh/claudemesh/cli/commands/meshes"
	"github.com/claudemesh/claudemesh/cli/commands/messages"
	"github.com/claudemesh/claudemesh/cli/commands/nodes"
	"github.com/claudemesh/claudemesh/cli/commands/operations"
	"github.com/claudemesh/claudemesh/cli/commands/people"
	"github.com/claudemesh/claudemesh/cli/commands/session"
	"github.com/claudemesh/claudemesh/cli/commands/state"
	"github.com/claudemesh/claudemesh/cli/commands/trust"
	"github.com/claudemesh/claudemesh/cli/manual"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
)

// documents are what commands print with --json, where it is not just the answer of
// their operation; several where it depends. Whoever adds a command that shows a type
// of its own adds a line to its package's, and runs `make docs`.
func documents() map[string][]any {
	all := map[string][]any{"claudemesh": {versionDoc{}}}
	for _, of := range []map[string][]any{
		meshes.Documents(), trust.Documents(), people.Documents(), messages.Documents(), state.Documents(),
		nodes.Documents(), machine.Documents(), session.Documents(), completions.Documents(),
	} {
		maps.Copy(all, of)
	}
	return all
}

// Documents without a command of their own.
const (
	failureSchema = "failure" // of every command
	helpSchema    = "help"    // of --help, and of commands that only hold others
	answersFolder = "call"    // the answers of operations, as `claudemesh call` prints them
)

// Commands is the tree of commands, to be read.
func Commands() *cobra.Command { return described().root() }

// described is an app that runs nothing.
func described() *app {
	none := func(string) string { return "" }
	return &app{&run.App{Env: Env{Getenv: none}, Term: term.New(term.Config{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Getenv: none})}}
}

// SchemaOf names the schema of what a command prints with --json, as in Schemas; empty
// for one that prints no document.
func SchemaOf(cmd *cobra.Command) string {
	if cmd.Annotations[manual.Holds] != "" {
		return helpSchema
	}
	if twin := cmd.Annotations[manual.Also]; twin != "" && cmd.Annotations[manual.Listed] == "no" {
		return documentOf(twin)
	}
	if cmd.CommandPath() == "claudemesh call" {
		return answersFolder
	}
	if len(documents()[cmd.CommandPath()]) > 0 || answerOf(cmd) != nil {
		return documentOf(cmd.CommandPath())
	}
	return ""
}

// documentOf is the name of a command's schema.
func documentOf(path string) string {
	if path == "claudemesh" {
		return "version"
	}
	return strings.ReplaceAll(strings.TrimPrefix(path, "claudemesh "), " ", "-")
}

// answerOf is the operation whose answer a command prints, nil for none.
func answerOf(cmd *cobra.Command) *op.Contract {
	path := strings.Fields(cmd.CommandPath())[1:]
	for _, k := range node.Catalogue() {
		if k.Names != (op.Names{}) && (slices.Equal(typedAs(k), path) || k.Names.CLI == "" && slices.Equal(resource(k), path)) {
			return &k
		}
	}
	return nil
}

// Schemas describe every document that a command prints with --json, in JSON Schema
// 2020-12, by the name of the file without its ending.
func Schemas() (map[string]*jsonschema.Schema, error) {
	out := map[string]*jsonschema.Schema{}
	add := func(name, title string, schemas ...*jsonschema.Schema) {
		for _, s := range schemas {
			s.Schema, s.Title = "https://json-schema.org/draft/2020-12/schema", title
			versioned(s)
		}
		if out[name] = schemas[0]; len(schemas) > 1 {
			out[name] = &jsonschema.Schema{Schema: schemas[0].Schema, Title: title, AnyOf: schemas}
			for _, s := range schemas {
				s.Schema, s.Title = "", ""
			}
		}
	}
	for name, doc := range map[string]any{failureSchema: term.Failed{}, helpSchema: manual.Command{}, "call-list": operations.List{}} {
		s, err := op.SchemaOf(reflect.TypeOf(doc))
		if err != nil {
			return nil, err
		}
		add(name, name, s)
	}
	for _, cmd := range append(manual.All(Commands()), hidden(Commands())...) {
		schemas, err := schemasOf(cmd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cmd.CommandPath(), err)
		}
		if len(schemas) > 0 {
			add(documentOf(cmd.CommandPath()), cmd.CommandPath()+" --json", schemas...)
		}
	}
	for _, k := range node.Catalogue() {
		s, err := k.Output()
		if err != nil {
			return nil, err
		}
		add(answersFolder+"/"+k.ID, "claudemesh call "+k.ID+" --json", s)
	}
	return out, nil
}

// hidden are the commands that lists leave out.
func hidden(root *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(root.Commands()), func(c *cobra.Command) bool { return !c.Hidden })
}

func schemasOf(cmd *cobra.Command) (out []*jsonschema.Schema, err error) {
	for _, doc := range documents()[cmd.CommandPath()] {
		s, err := op.SchemaOf(reflect.TypeOf(doc))
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if k := answerOf(cmd); len(out) == 0 && k != nil {
		s, err := k.Output()
		return []*jsonschema.Schema{s}, err
	}
	return out, nil
}

// versioned adds what every document begins with, and lets later versions add more.
func versioned(s *jsonschema.Schema) {
	open(s)
	var version any = term.SchemaVersion
	if s.Properties == nil {
		s.Properties = map[string]*jsonschema.Schema{}
	}
	s.Properties["schema_version"] = &jsonschema.Schema{Const: &version}
	s.PropertyOrder = append([]string{"schema_version"}, s.PropertyOrder...)
	s.Required = append([]string{"schema_version"}, s.Required...)
}

// open allows properties that are not named: documents may get more of them.
func open(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Properties) > 0 || s.AdditionalProperties != nil && s.AdditionalProperties.Not != nil {
		s.AdditionalProperties = nil
	}
	for _, p := range slices.Concat(slices.Collect(maps.Values(s.Properties)), s.AnyOf, s.OneOf, []*jsonschema.Schema{s.Items, s.AdditionalProperties}) {
		open(p)
	}
}
