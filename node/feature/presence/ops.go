package presence

import (
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Open makes or takes up the session of an agent.
var Open = op.Spec[OpenRequest, OpenResponse]{
	ID:  "session.open",
	Doc: "Make or take up the session of a running agent; the same agent session id always gets the same keys and name.",
}

// Alias gives a session another agent session id.
var Alias = op.Spec[AliasRequest, AliasResponse]{
	ID:  "session.alias",
	Doc: "Tell that an agent goes on under a new session id, as after /clear: it stays the same session.",
}

// Close ends a session.
var Close = op.Spec[CloseRequest, CloseResponse]{
	ID:  "session.close",
	Doc: "End a session: its agent has gone. Mail for it is kept.",
}

// Summary sets what a session works on.
var Summary = op.Spec[SummaryRequest, SummaryResponse]{
	ID:    "summary.set",
	Doc:   "Tell the other sessions in one or two sentences what you are working on; they see it in list_peers.",
	Names: op.Names{Tool: "set_summary", CLI: "summary <text…>"},
	Needs: op.Profile,
	Core:  true,
	Eager: true,
}

// Whoami describes the caller.
var Whoami = op.Spec[WhoamiRequest, WhoamiResponse]{
	ID:    "session.whoami",
	Doc:   "Say who you are: your session and member keys and names in each mesh.",
	Names: op.Names{CLI: "whoami"},
}

// Roster answers another node that has just connected: this node's sessions.
var Roster = op.Spec[RosterRequest, RosterResponse]{
	ID:    "presence.roster",
	Doc:   "Give a member's node the list of sessions this node knows of, with the rest of their leases.",
	Place: op.AtPeer,
}

// maxAgentID is the longest session id of an agent, in bytes.
const maxAgentID = 256

// OpenRequest describes a running agent.
type OpenRequest struct {
	AgentSession string `json:"agent_session" jsonschema:"the agent's own session id"`
	Name         string `json:"name,omitempty" jsonschema:"the name to be known by; default: the member's name"`
	Role         string `json:"role,omitempty" jsonschema:"free text, as in reviewer"`
	Mode         string `json:"mode,omitempty" jsonschema:"push (default), inbox or off"`
	Quiet        bool   `json:"quiet,omitempty" jsonschema:"whether not to tell it who comes and goes"`
	Rights       string `json:"rights,omitempty" jsonschema:"what it may do: names of rights with commas between; all of them if left out"`
	// Mesh and Groups are those of a session that was started for one mesh.
	Mesh     string   `json:"mesh,omitempty" jsonschema:"the one mesh to show in, by its name or id; in all if left out"`
	Groups   []string `json:"groups,omitempty" jsonschema:"groups to be in from the start, as in eng or eng:lead"`
	PID      int      `json:"pid,omitempty" jsonschema:"process id of the agent"`
	Cwd      string   `json:"cwd,omitempty"`
	PeerType string   `json:"peer_type,omitempty" jsonschema:"ai or human"`
	Channel  string   `json:"channel,omitempty" jsonschema:"the agent's kind, as in claude-code"`
	Model    string   `json:"model,omitempty"`
}

// OpenResponse carries the session's token, which is a secret.
type OpenResponse struct {
	Session string `json:"session" jsonschema:"local id of the session"`
	Token   string `json:"token" jsonschema:"32 bytes in hex; shows who calls"`
	Name    string `json:"name"`
	Mode    string `json:"mode"`
	Resumed bool   `json:"resumed" jsonschema:"whether the session existed before"`
}

// AliasRequest links a new agent session id to a session.
type AliasRequest struct {
	AgentSession string `json:"agent_session" jsonschema:"the id known so far"`
	New          string `json:"new" jsonschema:"the id from now on"`
}

// AliasResponse is empty: the alias holds.
type AliasResponse struct{}

// CloseRequest names an agent session; a caller that is a session may leave it out.
type CloseRequest struct {
	AgentSession string `json:"agent_session,omitempty"`
}

// CloseResponse is empty: the session is closed.
type CloseResponse struct{}

// SummaryRequest carries the summary.
type SummaryRequest struct {
	op.InMesh
	OfSession
	Summary string `json:"summary" jsonschema:"one or two sentences, at most 500 characters"`
}

// SummaryResponse echoes it.
type SummaryResponse struct {
	Summary string   `json:"summary"`
	Meshes  []string `json:"meshes"`
}

// Text confirms.
func (r SummaryResponse) Text() string {
	return fmt.Sprintf("Summary set in %s: %s", strings.Join(r.Meshes, ", "), r.Summary)
}

// MemberInfo is one member.
type MemberInfo struct {
	Name string `json:"name"`
	Key  string `json:"pubkey"`
	Role string `json:"role"`
}

// WhoamiRequest asks who the caller is.
type WhoamiRequest struct{}

// WhoamiResponse names the caller in each mesh.
type WhoamiResponse struct {
	Session string     `json:"session,omitempty" jsonschema:"local id of the calling session; empty for the person at the terminal"`
	Agent   string     `json:"agent_session,omitempty"`
	Rights  string     `json:"rights,omitempty" jsonschema:"what the session may do; absent: everything that sessions may"`
	Node    string     `json:"node" jsonschema:"this node's address key on the network"`
	Meshes  []Identity `json:"meshes"`
}

// Identity is who one is in one mesh.
type Identity struct {
	Mesh       string `json:"mesh"`
	MeshID     string `json:"mesh_id"`
	Name       string `json:"name"`
	Role       string `json:"role"`
	MemberKey  string `json:"member_key"`
	SessionKey string `json:"session_key"`
}

// Text has a line per mesh.
func (r WhoamiResponse) Text() string {
	if len(r.Meshes) == 0 {
		return "You are in no mesh. Node " + r.Node
	}
	lines := make([]string, 0, len(r.Meshes)+1)
	for _, m := range r.Meshes {
		lines = append(lines, fmt.Sprintf("%s in %s (%s)  member %s  session %s", m.Name, m.Mesh, m.Role, m.MemberKey[:16], m.SessionKey[:16]))
	}
	if r.Rights != "" {
		lines = append(lines, "rights of this session: "+r.Rights)
	}
	return strings.Join(append(lines, "node "+r.Node), "\n")
}

// RosterRequest asks for the roster of the mesh the caller proved itself in.
type RosterRequest struct{}

// RosterResponse carries signed beacons with what is left of their leases.
type RosterResponse struct {
	Beacons []AgedBeacon `json:"beacons"`
}

// AgedBeacon is a beacon and its age: never a new lease.
type AgedBeacon struct {
	Member string `json:"member"`
	Beacon []byte `json:"beacon"`
	AgeMS  int64  `json:"age_ms"`
}
