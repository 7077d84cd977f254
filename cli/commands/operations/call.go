package operations

import (
	"encoding/json"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
)

// callCommand asks for any operation, so that every one of them can be scripted
// before it has a command of its own.
func (a *app) callCommand() *cobra.Command {
	var list, schema bool
	cmd := &cobra.Command{
		Use:   "call <operation> [json]",
		Short: "Ask the node for any operation",
		Long: "Ask the node for any operation, by its id or its tool name, with a request in JSON\n" +
			"(- reads it from stdin). --list shows the operations, --schema the request one takes.",
		Example: "claudemesh call peers.list '{\"all\":true}'\nclaudemesh call --list",
		Args:    run.Words(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case list:
				return a.printOperations()
			case len(args) == 0:
				return run.Usage("run `claudemesh call --list` to see the operations", "`claudemesh call` needs the name of an operation")
			}
			k, err := run.Contract(args[0])
			if err != nil {
				return err
			}
			if schema {
				return a.printSchema(k)
			}
			return a.callOperation(cmd, k, args[1:])
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "show all operations")
	cmd.Flags().BoolVar(&schema, "schema", false, "show what the operation takes and gives")
	return cmd
}

func (a *app) callOperation(cmd *cobra.Command, k op.Contract, args []string) error {
	request := json.RawMessage("{}")
	if len(args) > 0 {
		text, err := a.Body(args)
		if err != nil {
			return err
		}
		request = json.RawMessage(text)
	}
	if !json.Valid(request) {
		return op.Errorf(op.Invalid, "the request is no JSON").WithHint(`quote it: claudemesh call %s '{"key":"value"}'`, k.ID)
	}
	return a.ask(cmd.Context(), k, request)
}

// operation is one line of the list.
type operation struct {
	ID    string   `json:"id"`
	Doc   string   `json:"doc"`
	Tool  string   `json:"tool,omitempty"`
	CLI   string   `json:"cli,omitempty"`
	Needs op.Right `json:"needs"`
	Place string   `json:"place"`
}

// List are all operations, as call --list prints them.
type List struct {
	Operations []operation `json:"operations"`
}

func (a *app) printOperations() error {
	var all []operation
	width := 0
	for _, k := range node.Catalogue() {
		all = append(all, operation{k.ID, k.Doc, k.Names.Tool, k.Names.CLI, k.Needs, k.Place.String()})
		width = max(width, len(k.ID))
	}
	return run.Show(a.App, List{all}, func(List) {
		for _, o := range all {
			first, _, _ := strings.Cut(o.Doc, "\n")
			a.Term.Line("%s  %s", term.Cyan(o.ID).Pad(width), first)
		}
	})
}

func (a *app) printSchema(k op.Contract) error {
	in, err := k.Input()
	if err != nil {
		return err
	}
	out, err := k.Output()
	if err != nil {
		return err
	}
	// A schema is a document by nature, with or without --json.
	a.Term.Document(true)
	return a.Term.JSON(struct {
		ID     string             `json:"id"`
		Input  *jsonschema.Schema `json:"input"`
		Output *jsonschema.Schema `json:"output"`
	}{k.ID, in, out})
}
