package mesh

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Invites lists the invites of a mesh.
var Invites = op.Spec[InvitesRequest, InvitesResponse]{
	ID:    "mesh.invites",
	Doc:   "List the invites of a mesh: who made them, whether they are open, and whom each let in.",
	Names: op.Names{CLI: "invites"},
	Needs: op.Manage,
}

// Uninvite ends invites.
var Uninvite = op.Spec[UninviteRequest, UninviteResponse]{
	ID:       "mesh.uninvite",
	Doc:      "End open invites: nobody can join with them any more. Who joined with them stays.",
	Names:    op.Names{CLI: "uninvite <id…>"},
	Needs:    op.Manage,
	Destroys: true,
}

// InvitesRequest asks about one mesh.
type InvitesRequest struct {
	op.InMesh
	All bool `json:"all,omitempty" jsonschema:"also those that are used up, expired or ended"`
}

// Looks implements op.Looker.
func (InvitesRequest) Looks() bool { return true }

// ListedInvite is one invite and what became of it.
type ListedInvite = ledger.Invite

// InvitesResponse lists invites, the newest first. The links are in nobody's hands
// but those they were given to.
type InvitesResponse struct {
	Mesh    string         `json:"mesh"`
	Invites []ListedInvite `json:"invites"`
}

// Text has a line per invite.
func (r InvitesResponse) Text() string {
	if len(r.Invites) == 0 {
		return "There is no such invite in " + r.Mesh + "."
	}
	lines := make([]string, 0, len(r.Invites))
	for _, v := range r.Invites {
		line := fmt.Sprintf("%s  %s  by %s, as %s, used %d of %d, made %s", v.ID[:16], v.State, v.By, v.Role, v.Used, v.Uses, v.Made)
		if v.Expires != "" {
			line += ", until " + v.Expires
		}
		if len(v.UsedBy) > 0 {
			line += ", let in: " + strings.Join(v.UsedBy, ", ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func (a *Meshes) answerInvites(_ context.Context, _ op.Caller, in InvitesRequest) (InvitesResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return InvitesResponse{}, err
	}
	out := InvitesResponse{Mesh: m.Slug(), Invites: []ListedInvite{}}
	for _, v := range ledger.Invites(m.admin, a.cfg.Now()) {
		if in.All || v.State == "open" {
			out.Invites = append(out.Invites, v)
		}
	}
	return out, nil
}

// UninviteRequest names invites.
type UninviteRequest struct {
	op.InMesh
	IDs []string `json:"ids,omitempty" jsonschema:"ids of invites, or their first 8 or more characters"`
	All bool     `json:"all,omitempty" jsonschema:"every open invite instead"`
}

// UninviteResponse says what ended.
type UninviteResponse struct {
	Mesh  string   `json:"mesh"`
	Ended []string `json:"ended"`
	// Told is the number of members' nodes that have heard of it already.
	Told int `json:"told"`
}

// Text says what ended.
func (r UninviteResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r UninviteResponse) Lines() []op.Phrase {
	return []op.Phrase{op.Phrasef("Ended %d invite(s) of %s. Nodes told: %d. Who joined with them stays.", len(r.Ended), r.Mesh, r.Told)}
}

func (a *Meshes) answerUninvite(ctx context.Context, _ op.Caller, in UninviteRequest) (UninviteResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return UninviteResponse{}, err
	}
	if len(in.IDs) == 0 && !in.All {
		return UninviteResponse{}, op.Errorf(op.Invalid, "no invite was named").
			WithHint("`claudemesh invites` lists them; --all ends every open one")
	}
	out := UninviteResponse{Mesh: m.Slug(), Ended: []string{}}
	added, err := m.sign(ctx, func() (trust.Entry, error) {
		ids, err := ledger.FindInvites(m.admin, a.cfg.Now(), in.IDs, in.All)
		if err != nil {
			return trust.Entry{}, err
		}
		if len(ids) == 0 {
			return trust.Entry{}, op.Errorf(op.NotFound, "no invite of %s is open", m.Slug()).WithHint("nothing is left to end")
		}
		ids = ids[:min(len(ids), trust.MaxIDs)]
		out.Ended = shortIDs(ids)
		return m.admin.SignUninvite(m.member, ids, a.cfg.Now())
	})
	if err != nil {
		return UninviteResponse{}, err
	}
	out.Told = a.spread(ctx, m, added)
	return out, nil
}

// shortIDs are ids as lists show them.
func shortIDs(ids []ident.ID) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, hex.EncodeToString(id[:8]))
	}
	return out
}

// preset checks what an invite gives beside the role.
func preset(in InviteRequest, uses int) (trust.Preset, error) {
	p := trust.Preset{Name: in.Name, Tag: in.RoleTag, Mode: in.Mode}
	if in.Name != "" {
		if uses != 1 {
			return p, op.Errorf(op.Invalid, "several people cannot all be named %s", in.Name).WithHint("leave --uses or the name out")
		}
		if err := op.CheckNewName(in.Name); err != nil {
			return p, err
		}
	}
	if in.RoleTag != "" {
		if err := op.CheckName(in.RoleTag); err != nil {
			return p, err
		}
	}
	for _, g := range in.Groups {
		g = strings.TrimPrefix(g, "@")
		if trust.CheckName(g) != nil || len(g) > op.MaxName {
			return p, op.Errorf(op.Invalid, "%q cannot be a group", g).WithHint("name groups as in eng, eng/backend or eng:lead")
		}
		p.Groups = append(p.Groups, g)
	}
	const most = 64
	if len(p.Groups) > most {
		return p, op.Errorf(op.TooLarge, "%d groups, an invite gives at most %d", len(p.Groups), most).WithHint("name fewer")
	}
	switch in.Mode {
	case "", "push", "inbox", "off":
		return p, nil
	}
	return p, op.Errorf(op.Invalid, "%q is no message mode", in.Mode).WithHint("use push, inbox or off")
}

// Preset is what the own member's sessions start with, as its invite said.
func (m *Mesh) Preset() trust.Preset {
	own, _ := m.admin.State().Member(m.self)
	return own.Preset
}
