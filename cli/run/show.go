package run

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
)

// Call asks the node for an operation, starting a node if there is none.
func Call[In, Out any](ctx context.Context, a *App, spec op.Spec[In, Out], in In) (Out, error) {
	client, err := a.Connect(ctx)
	if err != nil {
		var none Out
		return none, err
	}
	return spec.Call(ctx, a.Approving(client), op.Caller{}, in)
}

// Perform performs an operation, shows what it answers and remembers the mesh that was
// named.
func Perform[In, Out any](ctx context.Context, a *App, spec op.Spec[In, Out], in In, human func(Out)) error {
	out, err := Call(ctx, a, spec, in)
	if err != nil {
		return err
	}
	a.Used(a.Mesh)
	return Show(a, out, human)
}

// ItsText prints what an operation's answer says of itself.
func ItsText[Out op.Texter](a *App) func(Out) {
	return func(out Out) { a.Term.Block(1, a.Told(out)) }
}

// Told is what an answer says of itself, where it can in the person's language.
func (a *App) Told(out op.Texter) string {
	teller, ok := out.(op.Teller)
	if !ok {
		return out.Text()
	}
	var lines []string
	for _, line := range teller.Lines() {
		lines = append(lines, line.In(a.Say))
	}
	return strings.Join(lines, "\n")
}

// Show prints an answer: the document with --json, else what human prints. It
// returns why that could not be written.
func Show[Out any](a *App, out Out, human func(Out)) error {
	if a.Term.IsDocument() {
		if err := a.Term.JSON(out); !errors.Is(err, term.ErrWrite) {
			return err
		}
	} else {
		human(out)
	}
	if err := a.Term.Err(); err != nil {
		return op.Errorf(op.Internal, "%w", err).WithHint("what you asked for is done, only its answer is lost")
	}
	return nil
}

// Shown tells whether messages were really written, so that they may count as
// read. err is what showing them met.
func (a *App) Shown(err error) error {
	if err == nil {
		err = a.Term.Shown()
	}
	if errors.Is(err, term.ErrWrite) {
		return op.Errorf(op.Internal, "%w", a.Term.Shown()).
			WithHint("nothing was marked read: `claudemesh inbox --again` shows it")
	}
	return err
}

// Answer prints what an operation says of itself.
func (a *App) Answer(out op.Texter) {
	first, rest, more := strings.Cut(a.Told(out), "\n")
	a.Term.Line("%s %s", term.Green(term.OK), first)
	if more {
		a.Term.Block(1, rest)
	}
}

// Contract finds an operation by id or tool name.
func Contract(name string) (op.Contract, error) {
	var names []string
	for _, k := range node.Catalogue() {
		if name == k.ID || name == k.Names.Tool {
			return k, nil
		}
		names = append(names, k.ID, k.Names.Tool)
	}
	near := Nearest(name, slices.DeleteFunc(names, func(s string) bool { return s == "" }))
	hint := OrNearest(near, op.Phrasef("run `claudemesh call --list` to see the operations"))
	return op.Contract{}, op.Errorf(op.NotFound, "there is no operation %q", name).WithHint("%s", hint)
}
