package mesh

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// kickFor is how long a node that is kicked may take to answer.
const kickFor = 5 * time.Second

// Kick closes a member's connections. It takes nothing away from it.
var Kick = op.Spec[KickRequest, KickResponse]{
	ID: "mesh.kick",
	Doc: "Close the connections of a member's node, to every other node of the mesh. It comes back by itself.\n" +
		"This helps against stuck connections; who should stay out must be banned.",
	Names:    op.Names{CLI: "kick <member>"},
	Needs:    op.Manage,
	Destroys: true,
}

// Kicked is how an admin's node asks for it.
var Kicked = op.Spec[KickedRequest, KickedResponse]{
	ID:    "mesh.kicked",
	Doc:   "Close this node's connections of the mesh, because somebody who ranks higher asks for it.",
	Needs: op.Manage,
	Place: op.AtPeer,
}

// KickRequest names a member.
type KickRequest struct {
	op.InMesh
	Member string `json:"member,omitempty" jsonschema:"name or key of the member, or the name of one of its sessions"`
	All    bool   `json:"all,omitempty" jsonschema:"every connected member that ranks below you instead"`
}

// KickResponse says what was closed.
type KickResponse struct {
	Mesh   string       `json:"mesh"`
	Kicked []KickedNode `json:"kicked"`
}

// KickedNode is one member's node.
type KickedNode struct {
	Person
	// Closed is how many connections with other members' nodes it closed itself.
	Closed int `json:"closed"`
	// Refused is why it closed none itself; the connection with this node is closed
	// in any case.
	Refused string `json:"refused,omitempty"`
}

// Text says what was closed, and what that is worth.
func (r KickResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r KickResponse) Lines() []op.Phrase {
	if len(r.Kicked) == 0 {
		return []op.Phrase{op.Word("Nobody who ranks below you is connected.")}
	}
	lines := make([]op.Phrase, 0, len(r.Kicked)+1)
	for _, k := range r.Kicked {
		line := op.Phrasef("Closed the connection with %s's node; it closed %d more.", k.Name, k.Closed)
		if k.Refused != "" {
			line = op.Phrasef("Closed the connection with %s's node; it did not close others: %s", k.Name, k.Refused)
		}
		lines = append(lines, line)
	}
	return append(lines, op.Word("It connects again by itself, usually within seconds. To keep somebody out, use `claudemesh ban`."))
}

// KickedRequest is empty: the stream says who asks, and for which mesh.
type KickedRequest struct{}

// KickedResponse says how many connections were closed.
type KickedResponse struct {
	Closed int `json:"closed"`
}

func (a *Meshes) answerKick(ctx context.Context, _ op.Caller, in KickRequest) (KickResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return KickResponse{}, err
	}
	state := m.admin.State()
	own := state.Role(m.self)
	if own < trust.RoleAdmin {
		return KickResponse{}, op.Errorf(op.Denied, "only the owner and admins kick").WithHint("`claudemesh info` lists them")
	}
	near := a.cfg.Net.Near(m.id)
	if !in.All {
		key, err := m.kickable(in.Member, own)
		if err != nil {
			return KickResponse{}, err
		}
		if near[key] == nil {
			return KickResponse{}, op.Errorf(op.Offline, "%s is not connected with this node", in.Member).
				WithHint("there is nothing to close from here; to keep it out, use `claudemesh ban`")
		}
		near = map[ident.PublicKey]op.Doer{key: near[key]}
	}
	out := KickResponse{Mesh: m.Slug(), Kicked: []KickedNode{}}
	for key, node := range near {
		if one, ok := state.Member(key); ok && one.Role < own {
			out.Kicked = append(out.Kicked, m.kick(ctx, one, node))
		}
	}
	slices.SortFunc(out.Kicked, func(x, y KickedNode) int { return cmp.Compare(x.Name+x.Key, y.Name+y.Key) })
	return out, nil
}

// kickable finds a member that ranks below the own one.
func (m *Mesh) kickable(who string, own trust.Role) (ident.PublicKey, error) {
	key, err := m.memberNamed(who)
	switch {
	case err != nil:
		return key, err
	case key == m.self:
		return key, op.Errorf(op.Invalid, "that is you").WithHint("`claudemesh node down` closes this node's connections")
	case m.admin.State().Role(key) >= own:
		return key, op.Errorf(op.Denied, "%s ranks no lower than you", who).WithHint("only the owner kicks admins")
	}
	return key, nil
}

// kick asks a node to close its other connections, and then closes the one with it.
func (m *Mesh) kick(ctx context.Context, who trust.Member, node op.Doer) KickedNode {
	key := who.Keys.Member
	out := KickedNode{Person: Person{Name: who.Name, Key: key.String()}}
	ctx, cancel := context.WithTimeout(ctx, kickFor)
	defer cancel()
	answer, err := Kicked.Call(ctx, node, op.Caller{}, KickedRequest{})
	if out.Closed = answer.Closed; err != nil {
		out.Refused = err.Error()
	}
	m.all.cfg.Net.Cut(m.id, func(k ident.PublicKey) bool { return k == key })
	return out
}

// answerKicked closes the connections with all but the one who asks, which closes its
// own after the answer.
func (a *Meshes) answerKicked(_ context.Context, c op.Caller, _ KickedRequest) (KickedResponse, error) {
	m, asker, err := a.asked(c)
	if err != nil {
		return KickedResponse{}, err
	}
	if asker.Role < trust.RoleAdmin || asker.Role <= m.admin.State().Role(m.self) {
		return KickedResponse{}, op.Errorf(op.Denied, "you rank no higher than this node's member")
	}
	closed := a.cfg.Net.Cut(m.id, func(k ident.PublicKey) bool { return k != asker.Keys.Member })
	m.log().Info("connections closed, as an admin asked", "mesh", m.id, "by", asker.Name, "count", closed)
	return KickedResponse{Closed: closed}, nil
}
