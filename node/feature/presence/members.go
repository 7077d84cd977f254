package presence

import (
	"context"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
)

// Members lists who is in a mesh, with a session or without.
var Members = op.Spec[MembersRequest, MembersResponse]{
	ID:  "members.list",
	Doc: "List everybody who is in the mesh, also those whose agents are not running, and whether their machine is online.",
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
	State string `json:"state" jsonschema:"online, away or offline"`
	Own   bool   `json:"own,omitempty" jsonschema:"whether it is you"`
}

// Text has a line per member.
func (r MembersResponse) Text() string {
	lines := make([]string, 0, len(r.Members))
	for _, m := range r.Members {
		you := ""
		if m.Own {
			you = " (you)"
		}
		lines = append(lines, fmt.Sprintf("%s%s [%s] %s %s", m.Name, you, m.State, m.Role, m.Key[:16]))
	}
	return strings.Join(lines, "\n")
}

func (f *Feature) answerMembers(_ context.Context, c op.Caller, in MembersRequest) (MembersResponse, error) {
	self, err := f.Caller(c, in.Mesh)
	if err != nil {
		return MembersResponse{}, err
	}
	out := MembersResponse{Slug: self.Slug, Members: []MemberState{}}
	people := f.cfg.Meshes.Members(self.Mesh)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range people {
		one := MemberState{MemberInfo: MemberInfo{Name: p.Name, Key: p.Key.String(), Role: p.Role}, State: string(roster.Offline)}
		if p.Key == self.Member {
			one.Own, one.State = true, string(roster.Online)
		} else if h, known := f.roster(self.Mesh).Homes[p.Key]; known {
			one.State = string(h.State(f.cfg.Mono()))
		}
		out.Members = append(out.Members, one)
	}
	return out, nil
}
