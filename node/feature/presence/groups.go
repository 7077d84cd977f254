package presence

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
)

// JoinGroup puts a session into a group.
var JoinGroup = op.Spec[JoinGroupRequest, GroupResponse]{
	ID: "group.join",
	Doc: "Join a group, with a role if you like: messages to @name reach you from then on, and so do those to the groups above it (a/b is in a). " +
		"Joining again replaces the role.",
	Names: op.Names{Tool: "join_group", CLI: "group join <name>"},
	Needs: op.Profile,
	Core:  true,
}

// LeaveGroup takes a session out of a group.
var LeaveGroup = op.Spec[LeaveGroupRequest, GroupResponse]{
	ID:    "group.leave",
	Doc:   "Leave a group: messages to it no longer reach you. Leaving a group you are not in changes nothing.",
	Names: op.Names{Tool: "leave_group", CLI: "group leave <name>"},
	Needs: op.Profile,
	Core:  true,
}

// Groups lists groups.
var Groups = op.Spec[GroupsRequest, GroupsResponse]{
	ID:    "group.list",
	Doc:   "List the groups of a mesh with the sessions and members in each.",
	Names: op.Names{CLI: "group list"},
}

// JoinGroupRequest names the group and the role in it.
type JoinGroupRequest struct {
	op.InMesh
	OfSession
	Name string `json:"name" jsonschema:"the group, as in reviewers or frontend/css; a leading @ is ignored"`
	Role string `json:"role,omitempty" jsonschema:"what you are in it, free text: lead, member, observer; none removes an earlier one"`
}

// LeaveGroupRequest names the group.
type LeaveGroupRequest struct {
	op.InMesh
	OfSession
	Name string `json:"name" jsonschema:"the group; a leading @ is ignored"`
}

// GroupResponse tells in which groups the session is now.
type GroupResponse struct {
	Group  string   `json:"group" jsonschema:"as @name or @name:role"`
	Joined bool     `json:"joined"`
	Meshes []string `json:"meshes"`
}

// Text confirms.
func (r GroupResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r GroupResponse) Lines() []op.Phrase {
	where := strings.Join(r.Meshes, ", ")
	if r.Joined {
		return []op.Phrase{op.Phrasef("Joined %s in %s.", r.Group, where)}
	}
	return []op.Phrase{op.Phrasef("Not in %s any more, in %s.", r.Group, where)}
}

// GroupsRequest asks about one mesh.
type GroupsRequest struct{ op.InMesh }

// GroupsResponse lists the groups of one mesh by name.
type GroupsResponse struct {
	Mesh   string      `json:"mesh"`
	Groups []GroupInfo `json:"groups"`
}

// GroupInfo is one group.
type GroupInfo struct {
	Name    string        `json:"name" jsonschema:"without the @"`
	Members []GroupMember `json:"members"`
}

// GroupMember is a session in a group, or a member without an open session.
type GroupMember struct {
	Name    string `json:"displayName"`
	Role    string `json:"role,omitempty"`
	Session string `json:"pubkey,omitempty" jsonschema:"the session's public key, hex; empty for a member without an open session"`
	Member  string `json:"memberPubkey"`
	State   string `json:"state" jsonschema:"online, away or offline"`
	Own     bool   `json:"own,omitempty" jsonschema:"whether it is yours"`
}

// Text has a line per group.
func (r GroupsResponse) Text() string {
	if len(r.Groups) == 0 {
		return "There are no groups in " + r.Mesh + ". join_group makes one."
	}
	lines := make([]string, 0, len(r.Groups))
	for _, g := range r.Groups {
		who := make([]string, 0, len(g.Members))
		for _, m := range g.Members {
			one := m.Name
			if m.Role != "" {
				one += ":" + m.Role
			}
			if m.Own {
				one += " (yours)"
			}
			if m.State != string(roster.Online) {
				one += " [" + m.State + "]"
			}
			who = append(who, one+short(" ", m.Session))
		}
		lines = append(lines, "@"+g.Name+": "+strings.Join(who, ", "))
	}
	return strings.Join(lines, "\n")
}

func (f *Feature) answerJoinGroup(ctx context.Context, c op.Caller, in JoinGroupRequest) (GroupResponse, error) {
	name, err := group.Clean(in.Name)
	if err != nil {
		return GroupResponse{}, err
	}
	if err := group.CheckRole(in.Role); err != nil {
		return GroupResponse{}, err
	}
	g := group.Group{Name: name, Role: in.Role}
	meshes, err := f.change(ctx, c, in.OfSession, in.Mesh, func(_ *live, p place) (place, error) {
		p.Groups, err = group.Join(p.Groups, g)
		return p, err
	})
	return GroupResponse{Group: g.String(), Joined: true, Meshes: meshes}, err
}

func (f *Feature) answerLeaveGroup(ctx context.Context, c op.Caller, in LeaveGroupRequest) (GroupResponse, error) {
	name, err := group.Clean(in.Name)
	if err != nil {
		return GroupResponse{}, err
	}
	meshes, err := f.change(ctx, c, in.OfSession, in.Mesh, func(_ *live, p place) (place, error) {
		p.Groups = group.Leave(p.Groups, name)
		return p, nil
	})
	return GroupResponse{Group: "@" + name, Meshes: meshes}, err
}

func (f *Feature) answerGroups(_ context.Context, c op.Caller, in GroupsRequest) (GroupsResponse, error) {
	m, err := f.pick(in.Mesh)
	if err != nil {
		return GroupsResponse{}, err
	}
	byName := make(map[string][]GroupMember)
	for _, p := range f.cfg.Meshes.Members(m.ID) {
		for name, who := range f.groupsOf(m, p) {
			byName[name] = append(byName[name], who...)
		}
	}
	out := GroupsResponse{Mesh: m.Slug, Groups: []GroupInfo{}}
	for name, who := range byName {
		slices.SortFunc(who, func(a, b GroupMember) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Session, b.Session))
		})
		out.Groups = append(out.Groups, GroupInfo{Name: name, Members: who})
	}
	slices.SortFunc(out.Groups, func(a, b GroupInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// groupsOf lists a member's groups: those of its open sessions, else of its profile.
func (f *Feature) groupsOf(m Mesh, p Member) map[string][]GroupMember {
	prof := f.profile(m.ID, p.Key)
	f.mu.Lock()
	sessions, state := f.known(m)[p.Key], f.state(m, p.Key)
	f.mu.Unlock()
	out := make(map[string][]GroupMember)
	open := false
	for _, s := range sessions {
		if !s.open || s.sight != roster.Listed && (s.own == nil || s.sight == roster.Unlisted) {
			continue
		}
		open = true
		for _, g := range s.groups {
			out[g.Name] = append(out[g.Name], GroupMember{
				Name: s.Name, Role: g.Role, Session: s.Key.String(), Member: p.Key.String(), State: string(s.state), Own: s.own != nil,
			})
		}
	}
	if open {
		return out
	}
	for _, g := range prof.Groups {
		out[g.Name] = append(out[g.Name], GroupMember{
			Name: p.Name, Role: g.Role, Member: p.Key.String(), State: string(state), Own: p.Key == m.Self,
		})
	}
	return out
}
