package node

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/grant"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// newAudit makes the account. It comes first of all features, since the others tell it
// what they do; the meshes and the book must be there before it runs.
func (n *Node) newAudit() {
	n.audits = audit.New(audit.Config{DB: n.db, Book: n.book, Meshes: accounted{n.meshes}, Now: n.cfg.Now, Log: n.log})
	n.net.audits = n.audits
}

// took is mesh.Config.Took.
func (n *Node) took(tx *store.Tx, id ident.MeshID, self ident.PublicKey, entries []trust.Entry, state *trust.State) error {
	return n.audits.Took(tx, id, self, acts(entries, state))
}

// refused is mesh.Config.Refused and that of others.
func (n *Node) refused(id ident.MeshID, who ident.PublicKey, reason string) {
	n.audits.Refused(id, who, reason)
}

// accepted is message.Config.Accepted.
func (n *Node) accepted(tx *store.Tx, m message.Accepted) error {
	return n.audits.Write(tx, audit.Event{Mesh: m.Mesh, Actor: m.Member, Name: "message_sent", Data: map[string]string{
		"id": m.ID, "target": strings.Join(m.Targets, " "), "priority": m.Priority, "session": m.Session,
	}})
}

// taken is message.Config.Taken.
func (n *Node) taken(m message.Taken) {
	n.audits.Received(audit.Event{Mesh: m.Mesh, Actor: m.Member, Data: map[string]string{
		"id": m.ID, "session": m.Session, "priority": m.Priority,
	}})
}

// granted is grant.Config.Account.
func (n *Node) granted(tx *store.Tx, c grant.Change) error {
	e := audit.Event{Mesh: c.Mesh, Name: c.Event, Data: make(map[string]string)}
	if m, ok := n.meshes.Get(c.Mesh); ok {
		e.Actor = m.Self()
	}
	if !c.Peer.Key.IsZero() {
		e.Data["member"], e.Data["name"] = c.Peer.Key.String(), c.Peer.Name
	}
	if c.Writes != "" {
		e.Data["capabilities"], e.Data["writes"] = strings.Join(c.Caps, " "), c.Writes
	}
	return n.audits.Write(tx, e)
}

// connected notes that a member's node came or went.
func (n *network) connected(p host.Peer, event string) {
	n.audits.Note(audit.Event{Mesh: p.Mesh, Actor: p.Key, Name: event, Data: map[string]string{"peer": p.Peer.String()}})
}

// arrival is presence.Config.Seen.
func (n *Node) arrival(id ident.MeshID, member ident.PublicKey, event, name string) {
	n.audits.Note(audit.Event{Mesh: id, Actor: member, Name: event, Data: map[string]string{"name": name}})
}

// accounted shows the meshes to the account.
type accounted struct{ meshes *mesh.Meshes }

// List implements audit.Meshes.
func (a accounted) List() []audit.Mesh {
	var out []audit.Mesh
	for _, m := range a.meshes.All() {
		out = append(out, audit.Mesh{ID: m.ID(), Slug: m.Slug(), Self: m.Self()})
	}
	return out
}

// Find implements audit.Meshes.
func (a accounted) Find(slug string) (audit.Mesh, error) {
	m, err := a.meshes.Find(slug)
	if err != nil {
		return audit.Mesh{}, err
	}
	return audit.Mesh{ID: m.ID(), Slug: m.Slug(), Self: m.Self()}, nil
}

// Names implements audit.Meshes.
func (a accounted) Names(id ident.MeshID) map[ident.PublicKey]string {
	m, ok := a.meshes.Get(id)
	if !ok {
		return nil
	}
	return ledger.Names(m.Admin())
}

// Member implements audit.Meshes.
func (a accounted) Member(id ident.MeshID, key ident.PublicKey) bool {
	m, ok := a.meshes.Get(id)
	if !ok {
		return false
	}
	_, is := m.State().Member(key)
	return is
}

// Acts implements audit.Meshes.
func (a accounted) Acts(id ident.MeshID) []audit.Act {
	m, ok := a.meshes.Get(id)
	if !ok {
		return nil
	}
	return acts(m.Admin().Entries(), m.State())
}

// acts puts entries of an admin log into words. A removal of several members is as many
// acts: whoever looks for one of them finds it, and a member whom its signer may not
// remove is told of as such.
func acts(entries []trust.Entry, state *trust.State) []audit.Act {
	out := make([]audit.Act, 0, len(entries))
	for _, e := range entries {
		a := audit.Act{
			ID: e.ID(), Signer: e.Signer(), At: e.Body().Header().Time, Data: make(map[string]string),
			Void: !state.Counted(e.ID()),
		}
		a.Event = describe(e.Body(), a.Data)
		remove, several := e.Body().(*trust.Remove)
		if !several {
			out = append(out, a)
			continue
		}
		for _, who := range remove.Targets {
			one := a
			one.Data, one.Void = maps.Clone(a.Data), !state.Removed(e.ID(), who)
			one.Data["member"] = ident.ID(who).String()
			out = append(out, one)
		}
	}
	return out
}

// describe gives the event that an entry is and what is to be said of it.
func describe(body trust.Body, data map[string]string) string {
	switch b := body.(type) {
	case *trust.Genesis:
		data["name"], data["owner"] = b.Name, b.Owner
		return "mesh_made"
	case *trust.Invite:
		data["role"], data["uses"], data["expires"] = b.Role.String(), strconv.Itoa(b.Uses), b.Expires.UTC().Format(time.RFC3339)
		return "invite_made"
	case *trust.Uninvite:
		data["invites"], data["count"] = listed(b.Invites), strconv.Itoa(len(b.Invites))
		return "invites_ended"
	case *trust.Admit:
		data["member"], data["name"], data["role"] = b.Claimed.Keys.Member.String(), b.Name, b.Role.String()
		if !b.Invite.IsZero() {
			data["invite"] = b.Invite.String()
		}
		return "member_admitted"
	case *trust.RoleChange:
		data["member"], data["role"] = b.Member.String(), b.Role.String()
		return "role_changed"
	case *trust.Remove:
		if n := len(b.Targets); n > 1 {
			data["with"] = strconv.Itoa(n - 1) // others, by the same entry
		}
		if n := len(b.Invites); n > 0 {
			data["invites"] = strconv.Itoa(n) // ended with it
		}
		return "member_removed"
	case *trust.Leave:
		return "member_left"
	case *trust.Epoch:
		return "key_changed"
	case *trust.Set:
		data["key"], data["value"] = b.Key, b.Value
		return "setting_changed"
	case *trust.Void:
		data["entries"], data["count"] = listed(b.Entries), strconv.Itoa(len(b.Entries))
		return "entries_struck"
	}
	return "changed"
}

// mostListed is how many ids an entry of the account has room for, whole.
const mostListed = 3

// listed writes ids one behind the other, as far as there is room, and how many more
// there are.
func listed(ids []ident.ID) string {
	var out []string
	for _, id := range ids[:min(len(ids), mostListed)] {
		out = append(out, id.String())
	}
	if more := len(ids) - len(out); more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, " ")
}
