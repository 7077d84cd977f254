package presence

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Members lists who is in a mesh, with a session or without.
var Members = op.Spec[MembersRequest, MembersResponse]{
	ID: "members.list",
	Doc: "List everybody who is in the mesh, also those whose agents are not running: whether their machine is online, " +
		"how many sessions they have open, who admitted them, and whether you compared their key.",
	Names: op.Names{CLI: "members"},
}

// MembersRequest asks about one mesh.
type MembersRequest struct{ op.InMesh }

// MembersResponse lists the members of one mesh by name.
type MembersResponse struct {
	Slug    string        `json:"slug"`
	Members []MemberState `json:"members"`
}

// MemberState is one member and how their machine is doing.
type MemberState struct {
	MemberInfo
	State    string `json:"state" jsonschema:"online, away or offline"`
	Own      bool   `json:"own,omitempty" jsonschema:"whether it is you"`
	Sessions int    `json:"sessions" jsonschema:"how many of its sessions are open and listed"`
	// AdmittedBy is empty for the owner, who founded the mesh.
	AdmittedBy string `json:"admittedBy,omitempty" jsonschema:"who admitted it"`
	Since      string `json:"since,omitempty" jsonschema:"when it was admitted, RFC 3339, by the clock of who did"`
	Verified   bool   `json:"verified" jsonschema:"whether you compared its key"`
	Warning    string `json:"warning,omitempty" jsonschema:"why it may not be who it seems to be"`
}

// Text has a line per member.
func (r MembersResponse) Text() string {
	lines := make([]string, 0, len(r.Members))
	for _, m := range r.Members {
		line := fmt.Sprintf("%s [%s] %s", m.Name, m.State, m.Role)
		if m.Own {
			line = fmt.Sprintf("%s (you) [%s] %s", m.Name, m.State, m.Role)
		}
		line += fmt.Sprintf(" · key %s · sessions %d", m.Key[:16], m.Sessions)
		if m.AdmittedBy != "" {
			line += fmt.Sprintf(" · admitted by %s %s", m.AdmittedBy, m.Since)
		}
		if m.Verified {
			line += " · verified"
		}
		if m.Warning != "" {
			line += " · WARNING: " + m.Warning
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func (f *Feature) answerMembers(_ context.Context, c op.Caller, in MembersRequest) (MembersResponse, error) {
	self, err := f.Caller(c, in.Mesh)
	if err != nil {
		return MembersResponse{}, err
	}
	m := Mesh{ID: self.Mesh, Slug: self.Slug, Self: self.Member}
	out := MembersResponse{Slug: self.Slug, Members: []MemberState{}}
	people := f.cfg.Meshes.Members(self.Mesh)
	names := make(map[ident.PublicKey]string, len(people))
	for _, p := range people {
		names[p.Key] = p.Name
	}
	for _, p := range people {
		one := MemberState{MemberInfo: MemberInfo{Name: p.Name, Key: p.Key.String(), Role: p.Role}}
		if p.By != p.Key && !p.By.IsZero() {
			one.AdmittedBy, one.Since = cmp.Or(names[p.By], "member "+p.By.String()[:16]), stamp(p.Since)
		}
		if f.cfg.Regard != nil && p.Key != self.Member {
			one.Verified, one.Warning = f.cfg.Regard.Verified(m.ID, p.Key), f.cfg.Regard.Warning(m.ID, p.Key)
		}
		out.Members = append(out.Members, one)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	sessions := f.known(m)
	for i, p := range people {
		one := &out.Members[i]
		one.State, one.Sessions = string(f.state(m, p.Key)), open(sessions[p.Key])
		if p.Key == self.Member {
			one.Own = true
		}
	}
	return out, nil
}

// state tells whether a member is online, for all that say so: it is while its node is,
// whatever sessions are open there, and the own one always. The caller holds f.mu.
func (f *Feature) state(m Mesh, member ident.PublicKey) roster.State {
	if member == m.Self {
		return roster.Online
	}
	return f.roster(m.ID).State(member, f.cfg.Mono())
}

// OnlineMembers are the members of a mesh that are online, the own one among them.
func (f *Feature) OnlineMembers(mesh ident.MeshID) map[ident.PublicKey]bool {
	out := make(map[ident.PublicKey]bool)
	m, ok := f.mesh(mesh)
	if !ok {
		return out
	}
	people := f.cfg.Meshes.Members(mesh)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range people {
		if f.state(m, p.Key) == roster.Online {
			out[p.Key] = true
		}
	}
	return out
}

// open counts the sessions of a member that are open and that others are shown.
func open(all []known) (n int) {
	old := superseded(all)
	for _, s := range all {
		if s.open && s.state != roster.Offline && s.sight == roster.Listed && !old[s.Key] {
			n++
		}
	}
	return n
}
