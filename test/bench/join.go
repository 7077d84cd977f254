package main

import (
	"context"
	"fmt"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// perDoor is how many join at one node: it takes 20 at once from one address, and
// all of them come from the same here.
const perDoor = 15

// joinAll makes a mesh of nodes. The first founds it; so that nobody waits at the
// door, the next few are admins and invite as well.
func joinAll(ctx context.Context, nodes []op.Doer) error {
	if _, err := mesh.New.Call(ctx, nodes[0], user, mesh.NewRequest{Name: "bench"}); err != nil {
		return err
	}
	admins := (len(nodes) - 1) / perDoor
	for i, n := range nodes[1:] {
		door, role := nodes[i/perDoor], "member"
		if i < admins {
			door, role = nodes[0], "admin"
		}
		link, err := mesh.Invite.Call(ctx, door, user, mesh.InviteRequest{Role: role})
		if err != nil {
			return err
		}
		if _, err := mesh.Join.Call(ctx, n, user, mesh.JoinRequest{Link: link.Link}); err != nil {
			return err
		}
		// One after the other, as people do: all at once they are in each other's way.
		err = harness.Until(ctx, func() (bool, any, error) {
			out, err := presence.Peers.Call(ctx, n, user, presence.PeersRequest{All: true})
			if err != nil {
				return false, nil, err
			}
			reached := 0
			for _, p := range out.Meshes[0].Peers {
				if p.Path != "unreachable" {
					reached++
				}
			}
			return reached == i+1, reached, nil
		})
		if err != nil {
			return fmt.Errorf("member %d: %w", i+2, err)
		}
	}
	return nil
}

// acquainted waits until every node sees a session online at every node.
func acquainted(ctx context.Context, nodes []op.Doer) error {
	for _, n := range nodes {
		err := harness.Until(ctx, func() (bool, any, error) {
			out, err := presence.Peers.Call(ctx, n, user, presence.PeersRequest{})
			if err != nil {
				return false, nil, err
			}
			there := 0
			for _, p := range out.Meshes[0].Peers {
				if p.State == "online" && p.Path != "unreachable" {
					there++
				}
			}
			return there == len(nodes), there, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
