package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
)

// call asks the node for an operation, starting a node if there is none.
func call[In, Out any](ctx context.Context, a *app, spec op.Spec[In, Out], in In) (Out, error) {
	client, err := a.connect(ctx)
	if err != nil {
		var none Out
		return none, err
	}
	return spec.Call(ctx, a.approving(client), op.Caller{}, in)
}

// perform performs an operation, shows what it answers and remembers the mesh that was
// named.
func perform[In, Out any](ctx context.Context, a *app, spec op.Spec[In, Out], in In, human func(Out)) error {
	out, err := call(ctx, a, spec, in)
	if err != nil {
		return err
	}
	a.used(a.mesh)
	return show(a, out, human)
}

// itsText prints what an operation's answer says of itself.
func itsText[Out op.Texter](a *app) func(Out) {
	return func(out Out) { a.term.Block(1, out.Text()) }
}

// show prints an answer: the document with --json, else what human prints. It
// returns why that could not be written.
func show[Out any](a *app, out Out, human func(Out)) error {
	if a.term.IsDocument() {
		if err := a.term.JSON(out); !errors.Is(err, term.ErrWrite) {
			return err
		}
	} else {
		human(out)
	}
	if err := a.term.Err(); err != nil {
		return op.Errorf(op.Internal, "%w", err).WithHint("what you asked for is done, only its answer is lost")
	}
	return nil
}

// shown tells whether messages were really written, so that they may count as
// read. err is what showing them met.
func (a *app) shown(err error) error {
	if err == nil {
		err = a.term.Shown()
	}
	if errors.Is(err, term.ErrWrite) {
		return op.Errorf(op.Internal, "%w", a.term.Shown()).
			WithHint("nothing was marked read: `claudemesh inbox --again` shows it")
	}
	return err
}

// answer prints what an operation says of itself.
func (a *app) answer(out op.Texter) {
	first, rest, more := strings.Cut(out.Text(), "\n")
	a.term.Line("%s %s", term.Green(term.OK), first)
	if more {
		a.term.Block(1, rest)
	}
}

// contract finds an operation by id or tool name.
func contract(name string) (op.Contract, error) {
	var names []string
	for _, k := range node.Catalogue() {
		if name == k.ID || name == k.Names.Tool {
			return k, nil
		}
		names = append(names, k.ID, k.Names.Tool)
	}
	hint := "run `claudemesh call --list` to see the operations"
	if near := nearest(name, slices.DeleteFunc(names, func(s string) bool { return s == "" })); near != "" {
		hint = "did you mean " + near + "? Else " + hint
	}
	return op.Contract{}, op.Errorf(op.NotFound, "there is no operation %q", name).WithHint("%s", hint)
}
