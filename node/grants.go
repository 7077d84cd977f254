package node

import (
	"context"

	"github.com/claudemesh/claudemesh/node/feature/grant"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// newGrants makes the rules about other principals. It comes after presence and before
// the messages, whose mail it holds.
func (n *Node) newGrants() (err error) {
	n.grants, err = grant.New(grant.Config{
		DB: n.db, Meshes: circle{people{n.meshes, n.names}, n}, Mail: held{n}, Changed: n.grantsChanged, Account: n.granted, Now: n.cfg.Now, Log: n.log,
	})
	return err
}

// grantsChanged has the records looked at anew: whose writes count may be another.
func (n *Node) grantsChanged(ctx context.Context, id ident.MeshID) {
	if err := n.book.Rejudge(ctx, id); err != nil && ctx.Err() == nil {
		n.log.Warn("records not judged anew", "mesh", id, "error", err)
	}
}

// membersChanged warns of verified names that have other keys now, and of a mesh that is
// closed to this node.
func (n *Node) membersChanged(ctx context.Context, id ident.MeshID) {
	if err := n.grants.Check(ctx, id); err != nil && ctx.Err() == nil {
		n.log.Warn("verified keys not checked", "mesh", id, "error", err)
	}
	n.checkStanding(ctx, id)
}

// may tells whether the own member of a mesh lets a principal do something. It answers
// from memory.
func (n *Node) may(id ident.MeshID, principal ident.PublicKey, c grant.Cap) bool {
	m, ok := n.meshes.Get(id)
	return ok && n.grants.May(id, m.Self(), principal, c)
}

// reads tells whether what a member says of itself is shown here.
func (n *Node) reads(id ident.MeshID, member ident.PublicKey) bool {
	return n.may(id, member, grant.Read)
}

// regard shows the grants to presence, which is made before them.
type regard struct{ n *Node }

// Reads implements presence.Regard.
func (r regard) Reads(id ident.MeshID, member ident.PublicKey) bool {
	return r.n.grants == nil || r.n.reads(id, member)
}

// Verified implements presence.Regard.
func (r regard) Verified(id ident.MeshID, member ident.PublicKey) bool {
	if r.n.grants == nil {
		return false
	}
	_, ok := r.n.grants.Verified(id, member)
	return ok
}

// Warning implements presence.Regard.
func (r regard) Warning(id ident.MeshID, member ident.PublicKey) string {
	if r.n.grants == nil {
		return ""
	}
	return r.n.grants.Warning(id, member)
}

// stateRules shows the grants to the state feature.
type stateRules struct{ n *Node }

// Shows implements state.Grants.
func (r stateRules) Shows(id ident.MeshID, author ident.PublicKey) bool {
	return r.n.may(id, author, grant.StateRead)
}

// Counts implements state.Grants.
func (r stateRules) Counts(id ident.MeshID, author ident.PublicKey) bool {
	return r.n.may(id, author, grant.StateWrite)
}

// held shows the messages to the grants; they are made after them.
type held struct{ n *Node }

// Hold implements grant.Mail.
func (h held) Hold(tx *store.Tx, id ident.MeshID, from ident.PublicKey, direct, many bool) error {
	return h.n.messages.Hold(tx, id, from, direct, many)
}

// Release implements grant.Mail.
func (h held) Release(ctx context.Context, id ident.MeshID, from ident.PublicKey) (int, error) {
	return h.n.messages.Release(ctx, id, from)
}

// circle shows the meshes to the grants.
type circle struct {
	people
	n *Node
}

// Caller implements grant.Meshes.
func (c circle) Caller(who op.Caller, slug string) (grant.Self, error) {
	l, err := c.n.presence.Caller(who, slug)
	return grant.Self{Mesh: l.Mesh, Slug: l.Slug, Member: l.Member}, err
}

// List implements grant.Meshes.
func (c circle) List() []grant.Self {
	var out []grant.Self
	for _, m := range c.people.List() {
		out = append(out, grant.Self{Mesh: m.ID, Slug: m.Slug, Member: m.Self})
	}
	return out
}

// Members implements grant.Meshes.
func (c circle) Members(id ident.MeshID) []grant.Member {
	var out []grant.Member
	for _, m := range c.people.Members(id) {
		out = append(out, grant.Member{Key: m.Key, Name: m.Name})
	}
	return out
}

// Owner implements grant.Meshes.
func (c circle) Owner(id ident.MeshID, session string) (ident.PublicKey, bool) {
	return c.n.memberOf(id, session)
}

// Listeners implements grant.Meshes.
func (c circle) Listeners(id ident.MeshID) []string {
	var out []string
	for _, l := range c.n.presence.Locals(id) {
		out = append(out, l.ID)
	}
	return out
}

// need is the right that a message takes.
func need(direct, many bool) trust.Rights {
	var r trust.Rights
	if direct || !many {
		r |= trust.RightSend
	}
	if many {
		r |= trust.RightBroadcast
	}
	return r
}

// lets is the capability that it takes.
func lets(direct, many bool) grant.Cap {
	var c grant.Cap
	if direct || !many {
		c |= grant.DM
	}
	if many {
		c |= grant.Broadcast
	}
	return c
}
