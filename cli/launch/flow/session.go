package flow

import (
	"context"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// World is what the flow must know of the meshes of this machine, and have done there.
type World interface {
	// Meshes lists those this machine is in, starting a node if there is none.
	Meshes(ctx context.Context) ([]Mesh, error)
	// Online counts the sessions that are online in a mesh.
	Online(ctx context.Context, mesh string) (int, error)
	// Make makes a mesh with a member of that name and returns what it is called.
	Make(ctx context.Context, name, member string) (string, error)
	// Join joins by a link or code, and tells whether this machine was in before.
	Join(ctx context.Context, link, member string) (mesh string, already bool, err error)
	// Newer looks for a newer release, if somebody said where and it is time to, and names
	// its version; empty: none is known of.
	Newer(ctx context.Context) string
}

// Mesh is a mesh that this machine is in.
type Mesh struct {
	// Name is what it is called here, ID all of its id.
	Name, ID string
	// Member is the own name in it.
	Member string
	// Members counts those who are in it.
	Members int
	// Trouble is why no session can be in it now; empty: nothing is in the way.
	Trouble op.Phrase
}

// Text is an answer that may be empty once it is known.
type Text struct {
	Value string
	Known bool
}

// Say is a known answer.
func Say(value string) Text { return Text{value, true} }

// Start is how somebody without a mesh comes to one.
type Start string

// The ways to a mesh.
const (
	Undecided Start = ""
	Create    Start = "create"
	Join      Start = "join"
)

// Session is all that is known about the agent session to be started: the one truth
// that steps write to and that decides which step comes next.
type Session struct {
	// Mesh is the mesh it will be in, by its name; empty: not known yet.
	Mesh string
	// NewMesh is the name of a mesh to be made, Link an invite to be used.
	NewMesh, Link string
	// Start is how somebody comes to a mesh who has chosen none.
	Start Start
	// Name, Role, Groups (as in "eng:lead,qa") and Mode are what the session is in its mesh. An
	// empty Mode is that of the member's profile or of the settings.
	Name, Role, Groups, Mode Text
	// Confirmed is true once a person, or who was asked not to ask one, wants to start.
	Confirmed bool

	// Looked is true once Meshes is known.
	Looked bool
	Meshes []Mesh
	// Outcast are meshes of this machine that no session can be in.
	Outcast []Mesh
	// Online counts the sessions online in Mesh; below 0: not known.
	Online int
	// Newer is the version of a newer release; empty: none is known of. It stands in
	// nobody's way.
	Newer string
	// Already is true if the link led to a mesh one was in.
	Already bool

	// Folder is where the agent will work, as a person would write it.
	Folder string
	// Program is the agent's program.
	Program string
	// Resumes says which conversation goes on, as in "the last one here"; empty: none.
	Resumes string
	// Unasked is true if the agent will not ask before it uses a tool.
	Unasked bool
	// Speech gives a text in the person's language; nil leaves it as it is. What a step or
	// a row says goes through it where it is shown, and before places in it are filled in.
	Speech func(text string) string
	// User is the name by which the person is known to the machine, Last the mesh that was used last.
	User, Last string
}

// mesh finds a mesh by its name, its id or a prefix of that of 8 or more characters.
func (s *Session) mesh(name string) (Mesh, bool) {
	var found []Mesh
	for _, m := range s.Meshes {
		if m.Name == name || m.ID == name {
			return m, true
		}
		if len(name) >= 8 && strings.HasPrefix(m.ID, name) {
			found = append(found, m)
		}
	}
	if len(found) == 1 {
		return found[0], true
	}
	return Mesh{}, false
}

// names lists the meshes.
func (s *Session) names() []string {
	out := make([]string, 0, len(s.Meshes))
	for _, m := range s.Meshes {
		out = append(out, m.Name)
	}
	return out
}

// Tell is a text in the person's language.
func (s *Session) Tell(text string) string {
	if s.Speech == nil {
		return text
	}
	return s.Speech(text)
}

// fill is a text with places to fill in, in the person's language.
func (s *Session) fill(format string, args ...any) string {
	return fmt.Sprintf(s.Tell(format), args...)
}

// Update says that there is a newer release; empty: none is known of.
func (s *Session) Update() string {
	if s.Newer == "" {
		return ""
	}
	return s.fill("claudemesh %s is there: `claudemesh upgrade` installs it", s.Newer)
}

// Reached tells that nothing stands between the session and its start.
func (s *Session) Reached() bool { return s.Mesh != "" && s.Confirmed }
