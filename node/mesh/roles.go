package mesh

import (
	"context"
	"errors"

	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Promote gives a member more to decide.
var Promote = op.Spec[PromoteRequest, RoleResponse]{
	ID:    "mesh.promote",
	Doc:   "Make a member an admin, who invites, admits and removes, or a service. Only the owner can.",
	Names: op.Names{CLI: "promote <member>"},
	Needs: op.Manage,
}

// Demote takes an admin's or a service's role.
var Demote = op.Spec[DemoteRequest, RoleResponse]{
	ID:       "mesh.demote",
	Doc:      "Make an admin or a service a plain member. Its open invites end. Only the owner can.",
	Names:    op.Names{CLI: "demote <member>"},
	Needs:    op.Manage,
	Destroys: true,
}

// PromoteRequest names a member and its new role.
type PromoteRequest struct {
	op.InMesh
	Member string `json:"member" jsonschema:"name or key of the member"`
	Role   string `json:"role,omitempty" jsonschema:"admin (default) or service"`
}

// DemoteRequest names a member.
type DemoteRequest struct {
	op.InMesh
	Member string `json:"member" jsonschema:"name or key of the member"`
}

// RoleResponse says what the member is now.
type RoleResponse struct {
	Mesh   string `json:"mesh"`
	Member string `json:"member"`
	Key    string `json:"member_key"`
	Was    string `json:"was"`
	Role   string `json:"role"`
	// Told is the number of members' nodes that have heard of it already.
	Told int `json:"told"`
}

// Text says what the member is now.
func (r RoleResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r RoleResponse) Lines() []op.Phrase {
	if r.Was == r.Role {
		return []op.Phrase{op.Phrasef("%s is %s of %s already.", r.Member, r.Role, r.Mesh)}
	}
	return []op.Phrase{op.Phrasef("%s is now %s of %s (was %s). Nodes told: %d.", r.Member, r.Role, r.Mesh, r.Was, r.Told)}
}

func (a *Meshes) answerPromote(ctx context.Context, _ op.Caller, in PromoteRequest) (RoleResponse, error) {
	role := trust.RoleAdmin
	switch in.Role {
	case "", "admin":
	case "service":
		role = trust.RoleService
	default:
		return RoleResponse{}, op.Errorf(op.Invalid, "nobody can be promoted to %q", in.Role).WithHint("use admin or service")
	}
	return a.setRole(ctx, in.Mesh, in.Member, role)
}

func (a *Meshes) answerDemote(ctx context.Context, _ op.Caller, in DemoteRequest) (RoleResponse, error) {
	return a.setRole(ctx, in.Mesh, in.Member, trust.RoleMember)
}

func (a *Meshes) setRole(ctx context.Context, mesh, who string, role trust.Role) (RoleResponse, error) {
	m, err := a.findIn(mesh)
	if err != nil {
		return RoleResponse{}, err
	}
	key, err := m.memberNamed(who)
	if err != nil {
		return RoleResponse{}, err
	}
	if key == m.admin.Owner() {
		return RoleResponse{}, op.Errorf(op.Denied, "the owner's role cannot change").WithHint("name another member")
	}
	one, _ := m.admin.State().Member(key)
	out := RoleResponse{Mesh: m.Slug(), Member: one.Name, Key: key.String(), Was: one.Role.String(), Role: role.String()}
	added, err := m.sign(ctx, func() (trust.Entry, error) {
		if m.admin.State().Role(key) == role && m.admin.State().Role(m.self) == trust.RoleOwner {
			return trust.Entry{}, errNothing
		}
		return m.admin.SignRole(m.member, key, role, a.cfg.Now())
	})
	if errors.Is(err, errNothing) {
		return out, nil
	}
	if err != nil {
		return RoleResponse{}, err
	}
	out.Told = a.spread(ctx, m, added)
	return out, nil
}

// memberNamed finds a member by name or key, or by the name of one of its sessions.
func (m *Mesh) memberNamed(who string) (ident.PublicKey, error) {
	key, err := ledger.FindMember(m.admin, who)
	if op.CodeOf(err) != op.NotFound || m.all.cfg.Session == nil {
		return key, err
	}
	if owner, ok := m.all.cfg.Session(m.id, who); ok {
		return owner, nil
	}
	return key, err
}
