package operations

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/claudemesh/claudemesh/cli/form"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/node/op"
)

// meshField is the part of a request that --mesh fills.
const meshField = "mesh_slug"

// longestShort is how long the line about a command in a list may be, in bytes.
const longestShort = 72

// Command is the command of an operation that has none written by hand: its words
// and flags are what its request needs and may have.
func Command(in *run.App, k op.Contract, verb string) *cobra.Command {
	a := &app{in}
	cmd := &cobra.Command{Use: verb, Short: firstWords(k.Doc), Long: k.Doc}
	schema, err := k.Input()
	var typed *form.Form
	if err == nil {
		typed, err = form.New(schema, meshField)
	}
	if err != nil {
		cmd.RunE = func(*cobra.Command, []string) error { return err }
		return cmd
	}
	cmd.Use += typed.Usage()
	cmd.Args = run.Words(typed.Words())
	typed.Flags(cmd.Flags())
	for name, values := range typed.Allowed() {
		cmd.Flags().Lookup(name).Annotations = map[string][]string{run.ValuesOf: values}
	}
	_, inMesh := schema.Properties[meshField]
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request, err := typed.Request(cmd.Flags(), args)
		if err != nil {
			return wrongValue(cmd, err)
		}
		return a.perform(cmd.Context(), k, request, inMesh)
	}
	return cmd
}

// firstWords is the first line of an operation's help, shortened to what a list shows.
func firstWords(doc string) string {
	line, _, _ := strings.Cut(doc, "\n")
	line = strings.TrimSuffix(line, ".")
	if sentence, _, more := strings.Cut(line, ". "); more {
		line = sentence
	}
	for _, end := range []string{"; ", ": ", ", ", " "} {
		for len(line) > longestShort {
			i := strings.LastIndex(line, end)
			if i <= 0 {
				break
			}
			line = line[:i]
		}
	}
	return line
}

// wrongValue tells which values there are, and the one that is most like what was typed.
func wrongValue(cmd *cobra.Command, err error) error {
	var wrong *form.ValueError
	if !errors.As(err, &wrong) {
		return err
	}
	see := op.Phrasef("run `%s --help` to see what it takes", cmd.CommandPath())
	return op.Errorf(op.Invalid, "%w", wrong).WithHint("%s", run.OrNearest(run.Nearest(wrong.Value, wrong.Allowed), see))
}

// perform asks for an operation with what was typed and shows the answer.
func (a *app) perform(ctx context.Context, k op.Contract, request map[string]json.RawMessage, inMesh bool) error {
	ask := func(slug string) error {
		if slug != "" {
			name, err := json.Marshal(slug)
			if err != nil {
				return err
			}
			request[meshField] = name
		}
		raw, err := json.Marshal(request)
		if err != nil {
			return err
		}
		return a.ask(ctx, k, raw)
	}
	err := ask(a.Mesh)
	if !inMesh || a.Mesh != "" || op.CodeOf(err) != op.Ambiguous {
		return err
	}
	// Nothing was done. Where it is the mesh that is open, the choice is ours.
	slug, unknown := a.OneMesh(ctx)
	if unknown != nil || slug == "" {
		return err
	}
	return ask(slug)
}

// ask performs an operation and shows what it answered.
func (a *app) ask(ctx context.Context, k op.Contract, request json.RawMessage) error {
	client, err := a.Connect(ctx)
	if err != nil {
		return err
	}
	out, err := a.Approving(client).Do(ctx, op.Caller{}, k.ID, request)
	if err != nil {
		return err
	}
	id, report, err := k.Report(out)
	if err != nil {
		return err
	}
	err = run.Show(a.App, out, func(json.RawMessage) {
		text, err := k.Text(out)
		if err != nil {
			text = string(out)
		}
		a.Term.Block(1, text)
	})
	if id == "" {
		return err
	}
	// The node wants to know that the answer was shown.
	if err := a.Shown(err); err != nil {
		return err
	}
	_, err = client.Do(ctx, op.Caller{}, id, report)
	return err
}
