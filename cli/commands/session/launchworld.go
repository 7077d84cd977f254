package session

import (
	"context"
	"sync"

	"github.com/claudemesh/claudemesh/cli/launch/flow"
	"github.com/claudemesh/claudemesh/cli/run"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
)

// world answers the flow from the node. It is safe for concurrent use.
type world struct {
	app *app
	// approved: a person has seen what will be done and said yes.
	approved bool
	// newer names a newer release.
	newer func(ctx context.Context) string
	mu    sync.Mutex // guards the app's connection, and what follows
	met   bool       // a node was there before
}

// do finds a node, starting one if there is none, which may be another than a moment
// ago.
func (w *world) do(ctx context.Context, anew bool) (op.Doer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if anew && w.app.Client != nil {
		w.app.Client.Close()
		w.app.Client = nil
	}
	client, err := w.app.Connect(ctx)
	switch {
	case err != nil && w.met:
		return nil, w.unreached(ctx, err)
	case err != nil:
		return nil, run.AsError(ctx, err)
	}
	w.met = true
	if w.approved {
		return w.app.Bounded(client.Approved()), nil
	}
	return w.app.Approving(client), nil
}

// Meshes implements flow.World.
func (w *world) Meshes(ctx context.Context) ([]flow.Mesh, error) {
	doer, err := w.do(ctx, true)
	if err != nil {
		return nil, err
	}
	out, err := mesh.List.Call(ctx, doer, op.Caller{}, mesh.ListRequest{})
	if err != nil {
		return nil, w.unreached(ctx, err)
	}
	all := make([]flow.Mesh, 0, len(out.Meshes))
	for _, m := range out.Meshes {
		all = append(all, flow.Mesh{Name: m.Slug, ID: m.ID, Member: m.Member, Members: m.Members, Trouble: m.Trouble()})
	}
	return all, nil
}

// Newer implements flow.World.
func (w *world) Newer(ctx context.Context) string { return w.newer(ctx) }

// Online implements flow.World.
func (w *world) Online(ctx context.Context, slug string) (int, error) {
	doer, err := w.do(ctx, false)
	if err != nil {
		return 0, err
	}
	out, err := overview.Info.Call(ctx, doer, op.Caller{}, overview.InfoRequest{InMesh: op.InMesh{Mesh: slug}})
	return out.Peers, w.unreached(ctx, err)
}

// Make implements flow.World.
func (w *world) Make(ctx context.Context, name, member string) (string, error) {
	doer, err := w.do(ctx, false)
	if err != nil {
		return "", err
	}
	out, err := mesh.New.Call(ctx, doer, op.Caller{}, mesh.NewRequest{Name: name, Member: member})
	return out.Slug, w.unreached(ctx, err)
}

// Join implements flow.World.
func (w *world) Join(ctx context.Context, link, member string) (string, bool, error) {
	doer, err := w.do(ctx, false)
	if err != nil {
		return "", false, err
	}
	out, err := mesh.Join.Call(ctx, doer, op.Caller{}, mesh.JoinRequest{Link: run.AsLink(link), Member: member})
	return out.Slug, out.Already, w.unreached(ctx, err)
}

// unreached gives the failure of a node that has gone its code; others keep theirs.
func (w *world) unreached(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case run.Absent(err) || op.CodeOf(err) == op.Internal && op.AsError(err).Hint == "":
		gone := op.Errorf(op.Unavailable, "the node has gone")
		if w.app.Env.Getenv(run.EnvAutoStart) == "0" {
			return gone.WithHint("it is looked for; nobody starts it here but you: `claudemesh node up`, or the service that runs it")
		}
		return gone.WithHint("it is looked for, and started if need be")
	}
	return run.AsError(ctx, err)
}
