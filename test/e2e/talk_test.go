package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// send calls send_message and returns the message's id.
func send(ctx context.Context, t *testing.T, a *harness.Agent, to, text, replyTo string) string {
	t.Helper()
	args := map[string]any{"to": to, "message": text}
	if replyTo != "" {
		args["reply_to"] = replyTo
	}
	out, err := harness.Tool[message.SendResponse](ctx, a, "send_message", args)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Targets) != 1 || !out.Targets[0].OK {
		t.Fatalf("send_message to %s: %+v", to, out)
	}
	return out.ID
}

// hear waits for a message in an agent's conversation.
func hear(ctx context.Context, t *testing.T, a *harness.Agent, id string) harness.Channel {
	t.Helper()
	c, err := a.AwaitMessage(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// heard lists the ids of the messages an agent was pushed, again-marked ones
// aside.
func heard(agents ...*harness.Agent) []string {
	var ids []string
	for _, a := range agents {
		for _, c := range a.Channels() {
			if c.ID() != "" && c.Meta["again"] == "" {
				ids = append(ids, c.ID())
			}
		}
	}
	return ids
}

// check calls check_messages.
func check(ctx context.Context, t *testing.T, a *harness.Agent, again bool) message.CheckResponse {
	t.Helper()
	out, err := harness.Tool[message.CheckResponse](ctx, a, "check_messages", map[string]any{"again": again})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mentions tells whether a message is anywhere in what check_messages said.
func mentions(r message.CheckResponse, id string) bool {
	return slices.Contains(r.Unconfirmed, id) ||
		slices.ContainsFunc(r.Messages, func(m message.Received) bool { return m.ID == id })
}

// peersOf asks for the peers of the one mesh.
func peersOf(ctx context.Context, a *harness.Agent) ([]presence.Peer, error) {
	out, err := harness.Tool[presence.PeersResponse](ctx, a, "list_peers", nil)
	if err != nil {
		return nil, err
	}
	if len(out.Meshes) != 1 {
		return nil, fmt.Errorf("%d meshes", len(out.Meshes))
	}
	return out.Meshes[0].Peers, nil
}

// namesOf lists the names of peers in order.
func namesOf(peers []presence.Peer) []string {
	var names []string
	for _, p := range peers {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// awaitPeers waits until an agent sees exactly these names.
func awaitPeers(ctx context.Context, t *testing.T, a *harness.Agent, names ...string) []presence.Peer {
	t.Helper()
	var peers []presence.Peer
	err := harness.Until(ctx, func() (bool, any, error) {
		var err error
		peers, err = peersOf(ctx, a)
		return slices.Equal(namesOf(peers), names), namesOf(peers), err
	})
	if err != nil {
		t.Fatal(err)
	}
	return peers
}

// self is how an agent's session is listed to itself.
func self(ctx context.Context, t *testing.T, a *harness.Agent) presence.Peer {
	t.Helper()
	peers, err := peersOf(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(peers, func(p presence.Peer) bool { return p.Own == "this" })
	if i < 0 {
		t.Fatalf("none of %v is this session", namesOf(peers))
	}
	return peers[i]
}

// welcomed waits until an agent is in the mesh and its channel is open.
func welcomed(ctx context.Context, t *testing.T, agents ...*harness.Agent) {
	t.Helper()
	for _, a := range agents {
		if _, err := a.Await(ctx, 0, func(c harness.Channel) bool { return c.Kind() == "welcome" }); err != nil {
			t.Fatal(err)
		}
	}
}

// stateOf asks a node, as the person at the machine, what became of a message.
func stateOf(ctx context.Context, h *harness.Home, id string) (message.State, error) {
	out, err := message.Status.Call(ctx, h.API(), op.Caller{}, message.StatusRequest{ID: id})
	if err != nil {
		return "", err
	}
	if len(out.Recipients) != 1 {
		return "", fmt.Errorf("message %s has %d recipients", id, len(out.Recipients))
	}
	return out.Recipients[0].State, nil
}

// awaitState waits until a message has one of the states.
func awaitState(ctx context.Context, t *testing.T, h *harness.Home, id string, want ...message.State) {
	t.Helper()
	err := harness.Until(ctx, func() (bool, any, error) {
		s, err := stateOf(ctx, h, id)
		if again(err) {
			return false, err, nil
		}
		return slices.Contains(want, s), s, err
	})
	if err != nil {
		t.Fatalf("state of %s: %v", id, err)
	}
}

// again tells whether an error says that the other process is away just now.
func again(err error) bool {
	return op.CodeOf(err) == op.Unavailable || errors.Is(err, harness.ErrGone)
}
