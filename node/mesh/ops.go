package mesh

import (
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/node/op"
)

// New makes a mesh with this node's member as its owner.
var New = op.Spec[NewRequest, NewResponse]{
	ID:    "mesh.new",
	Doc:   "Make a new mesh on this machine; you are its owner.",
	Names: op.Names{CLI: "new <name>"},
	Needs: op.Manage,
}

// Invite makes an invite link whose admitter is this node.
var Invite = op.Spec[InviteRequest, InviteResponse]{
	ID:    "mesh.invite",
	Doc:   "Make a link with which somebody can join the mesh while this node is reachable.",
	Names: op.Names{CLI: "invite"},
	Needs: op.Manage,
}

// Join enters a mesh by an invite link.
var Join = op.Spec[JoinRequest, JoinResponse]{
	ID:    "mesh.join",
	Doc:   "Join a mesh by an invite link.",
	Names: op.Names{CLI: "join <link>"},
	Needs: op.Manage,
}

// List names the meshes of this node.
var List = op.Spec[ListRequest, ListResponse]{
	ID:    "mesh.list",
	Doc:   "List the meshes this node is in.",
	Names: op.Names{CLI: "list"},
}

// Leave leaves a mesh and forgets its keys.
var Leave = op.Spec[LeaveRequest, LeaveResponse]{
	ID:       "mesh.leave",
	Doc:      "Leave a mesh and remove its keys from this machine.",
	Names:    op.Names{CLI: "leave <mesh>"},
	Needs:    op.Manage,
	Destroys: true,
}

// NewRequest asks for a new mesh.
type NewRequest struct {
	Name   string `json:"name" jsonschema:"the mesh's name, 2 to 32 characters of a-z, 0-9 and -"`
	Member string `json:"member,omitempty" jsonschema:"your name in the mesh; default: the configured display name, else user-host"`
}

// NewResponse describes the new mesh.
type NewResponse struct {
	Info
}

// Text says what was made and what to do next.
func (r NewResponse) Text() string {
	return fmt.Sprintf("Made mesh %s (%s). You are %s, its owner.", r.Slug, r.ID[:8], r.Member)
}

// InviteRequest asks for an invite link.
type InviteRequest struct {
	op.InMesh
	Uses    int    `json:"uses,omitempty" jsonschema:"how many people may use it, 1 to 1000; default 1"`
	Expires string `json:"expires,omitempty" jsonschema:"how long it is good for, as in 30m, 12h, 7d; default 7d, at most 30d"`
	Role    string `json:"role,omitempty" jsonschema:"member (default) or admin; only the owner invites admins, for one use"`

	Name    string   `json:"name,omitempty" jsonschema:"the name the newcomer gets, whatever it wishes for; for one use"`
	RoleTag string   `json:"role_tag,omitempty" jsonschema:"what others see its sessions do, as in reviewer"`
	Groups  []string `json:"groups,omitempty" jsonschema:"groups its sessions start in, as in eng or eng:lead"`
	Mode    string   `json:"message_mode,omitempty" jsonschema:"how messages reach its sessions: push, inbox or off"`
}

// InviteResponse carries the link, which is a secret: who has it can join.
type InviteResponse struct {
	Mesh    string `json:"mesh"`
	Link    string `json:"link"`
	Uses    int    `json:"uses"`
	Role    string `json:"role"`
	Expires string `json:"expires_at" jsonschema:"RFC 3339"`
	// Addresses are those the link carries, so that a link that only works on this
	// machine can be told from one that works elsewhere.
	Addresses []string `json:"addresses"`
}

// Text shows the link and what it is worth.
func (r InviteResponse) Text() string {
	return fmt.Sprintf("%s\nGood for %d use(s) as %s until %s. Anyone with this link can join %s while this node is reachable.",
		r.Link, r.Uses, r.Role, r.Expires, r.Mesh)
}

// JoinRequest carries an invite link or a spoken code.
type JoinRequest struct {
	Link   string `json:"link" jsonschema:"an invite link, claudemesh://join/…, or a spoken code as 4-tiger-harbor"`
	At     string `json:"at,omitempty" jsonschema:"with a code: where the inviter's node is, HOST:PORT or a multiaddr, if it is not found on the network"`
	Member string `json:"member,omitempty" jsonschema:"the name you wish for; default: the configured display name, else user-host"`
}

// JoinResponse describes the mesh that was joined.
type JoinResponse struct {
	Info
	// Already is true when this node was in the mesh before.
	Already bool `json:"already,omitempty"`
	// InvitedBy is the name of the member who made the invite.
	InvitedBy string `json:"invited_by"`
}

// Text says where one is now.
func (r JoinResponse) Text() string {
	if r.Already {
		return fmt.Sprintf("You are already in mesh %s as %s.", r.Slug, r.Member)
	}
	return fmt.Sprintf("Joined mesh %s as %s, invited by %s.", r.Slug, r.Member, r.InvitedBy)
}

// ListRequest asks for all meshes.
type ListRequest struct{}

// ListResponse lists meshes by name.
type ListResponse struct {
	Meshes []Info   `json:"meshes"`
	Broken []Broken `json:"broken,omitempty" jsonschema:"meshes on this machine that cannot be used"`
}

// Broken is a mesh whose key or data cannot be used.
type Broken struct {
	ID     string `json:"mesh_id"`
	Reason string `json:"reason"`
}

// Text has a line per mesh.
func (r ListResponse) Text() string {
	var lines []string
	if len(r.Meshes) == 0 {
		lines = append(lines, "You are in no mesh.")
	}
	for _, m := range r.Meshes {
		lines = append(lines, fmt.Sprintf("%s  %s  you: %s (%s)  members: %d", m.Slug, m.ID, m.Member, m.Role, m.Members))
		if trouble := m.Trouble().String(); trouble != "" {
			lines = append(lines, "  "+trouble)
		}
	}
	for _, b := range r.Broken {
		lines = append(lines, fmt.Sprintf("%s cannot be used: %s", b.ID, b.Reason))
	}
	return strings.Join(lines, "\n")
}

// Info describes one mesh of this node.
type Info struct {
	ID        string `json:"mesh_id"`
	Slug      string `json:"slug" jsonschema:"the mesh's name, made unique on this machine"`
	Name      string `json:"name"`
	Member    string `json:"member" jsonschema:"your name in it"`
	MemberKey string `json:"member_key" jsonschema:"your public key in it, hex"`
	Role      string `json:"role"`
	Members   int    `json:"members"`
	JoinedAt  string `json:"joined_at" jsonschema:"RFC 3339"`
	// Removed says who removed this node's member, if somebody did.
	Removed *ledger.Gone `json:"removed,omitempty"`
	// Elsewhere says that another node acts for this node's member, which therefore
	// does not here.
	Elsewhere *Elsewhere `json:"elsewhere,omitempty" jsonschema:"the node that acts for your member instead of this one: a backup was restored there"`
	// KeyDue: somebody who is out has not been shut out of the mesh's key yet.
	KeyDue bool `json:"key_due,omitempty" jsonschema:"whether somebody who left could still read what is sealed for the whole mesh; the owner or an admin changes the key as soon as one is online"`
	// KeyMissing: this node has not been given the mesh's present key yet.
	KeyMissing bool `json:"key_missing,omitempty" jsonschema:"whether this node waits for the mesh's present key; what goes to the whole mesh waits, too"`
}

// LeaveRequest names the mesh to leave.
type LeaveRequest struct {
	Mesh  string `json:"mesh" jsonschema:"the mesh, by its name or an unambiguous prefix of its id"`
	Force bool   `json:"force,omitempty" jsonschema:"as its owner: forget it on this machine although others are in it"`
}

// LeaveResponse says what was left.
type LeaveResponse struct {
	Slug string `json:"slug"`
	// Told is the number of members' nodes that have heard of it already; the
	// others learn it from them.
	Told int `json:"told"`
}

// Text says what happened.
func (r LeaveResponse) Text() string {
	return fmt.Sprintf("Left mesh %s; its keys are gone from this machine. Nodes told: %d.", r.Slug, r.Told)
}
