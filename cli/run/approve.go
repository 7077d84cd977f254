package run

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/policy"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// envApprove is a mode of the policy for what is started with it.
const envApprove = "CLAUDEMESH_APPROVE"

// bounds performs what changes nothing, and the rest only if the mode of this very
// process lets it. What the policy forbids, no mode here allows.
type bounds struct {
	next op.Doer
	mode string
}

// Bounded keeps a client within the mode that this process was started with.
func (a *App) Bounded(next op.Doer) op.Doer {
	if mode := a.mode(); mode != "" {
		return bounds{next, mode}
	}
	return next
}

// mode is that of this process; empty: as the policy says.
func (a *App) mode() string { return First(a.Approve, a.Env.Getenv(envApprove)) }

// Do implements op.Doer.
func (b bounds) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	mode, err := policy.ParseMode(b.mode)
	if err != nil {
		return nil, err
	}
	if mode != policy.Plan && mode != policy.ReadOnly {
		return b.next.Do(ctx, c, id, in)
	}
	for _, k := range node.Catalogue() {
		if k.ID != id || k.Names == (op.Names{}) || k.Looks(in) {
			continue
		}
		if mode == policy.Plan {
			return nil, op.Errorf(op.Denied, "nothing was done: in mode plan this only says what would be asked of the node: %s %s", id, in).
				WithHint("do it with --approve write")
		}
		return nil, op.Errorf(op.Denied, "%s changes something, and the mode is read-only", id).WithHint("do it with --approve write")
	}
	return b.next.Do(ctx, c, id, in)
}

// approving asks a node, and a person where the node wants one asked.
type approving struct {
	app    *App
	client *local.Client
}

// Approving is a client that asks a person where the node wants one asked, within the mode
// of this process.
func (a *App) Approving(client *local.Client) op.Doer { return a.Bounded(approving{a, client}) }

// Do implements op.Doer.
func (p approving) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	out, err := p.wait(ctx, p.client, id, in)
	var refused *op.Error
	if !errors.As(err, &refused) || !refused.Ask {
		return out, err
	}
	question := p.app.Asks
	if question.String() == "" {
		question = op.Phrasef("Do %s?", id)
	}
	if err := p.app.Sure(ctx, question); err != nil {
		return nil, err
	}
	return p.wait(ctx, p.client.Approved(), id, in)
}

func (p approving) wait(ctx context.Context, client *local.Client, id string, in json.RawMessage) (json.RawMessage, error) {
	defer p.app.Term.Progress("waiting for the node")()
	return client.Do(ctx, op.Caller{}, id, in)
}

// Sure asks before something is done that cannot simply be undone. Without a
// terminal the answer is no, unless --yes was given.
func (a *App) Sure(ctx context.Context, question op.Phrase) error {
	if a.Yes || a.mode() == string(policy.Yolo) {
		return nil
	}
	i, err := a.Term.Choose(ctx, question.In(a.Term.Say), []string{"no", "yes"})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return op.Errorf(op.Denied, "this needs a yes: %s", question).WithHint("add --yes to answer it without a terminal")
	case i == 0:
		return op.Errorf(Cancelled, "nothing was changed")
	}
	return nil
}
