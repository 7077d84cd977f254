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

// Peers lists sessions.
var Peers = op.Spec[PeersRequest, PeersResponse]{
	ID:    "peers.list",
	Doc:   "List the agent sessions and people you can message: name, status, how they are reached, what they work on.",
	Names: op.Names{Tool: "list_peers", CLI: "peers"},
	Core:  true,
	Eager: true,
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

// Info describes the mesh.
var Info = op.Spec[InfoRequest, InfoResponse]{
	ID:    "mesh.info",
	Doc:   "Describe the mesh you are in: its name, its members, how many sessions are online, and who you are.",
	Names: op.Names{Tool: "mesh_info", CLI: "info"},
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

// OpenRequest describes a running agent.
type OpenRequest struct {
	AgentSession string `json:"agent_session" jsonschema:"the agent's own session id"`
	Name         string `json:"name,omitempty" jsonschema:"the name to be known by; default: the member's name"`
	Role         string `json:"role,omitempty" jsonschema:"free text, as in reviewer"`
	Mode         string `json:"mode,omitempty" jsonschema:"push (default), inbox or off"`
	PID          int    `json:"pid,omitempty" jsonschema:"process id of the agent"`
	Cwd          string `json:"cwd,omitempty"`
	PeerType     string `json:"peer_type,omitempty" jsonschema:"ai or human"`
	Channel      string `json:"channel,omitempty" jsonschema:"the agent's kind, as in claude-code"`
	Model        string `json:"model,omitempty"`
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

// PeersRequest asks for peers of one mesh or of all.
type PeersRequest struct {
	op.InMesh
	All bool `json:"all,omitempty" jsonschema:"also those that are away or offline"`
}

// PeersResponse has a section per mesh.
type PeersResponse struct {
	Meshes []MeshPeers `json:"meshes"`
}

// MeshPeers are the peers of one mesh.
type MeshPeers struct {
	Mesh  string `json:"mesh"`
	ID    string `json:"mesh_id"`
	Peers []Peer `json:"peers"`
}

// Peer is one session, or with All a member without one.
type Peer struct {
	Name        string `json:"displayName"`
	Session     string `json:"pubkey" jsonschema:"the session's public key, hex; empty for a member without a session"`
	Member      string `json:"memberName"`
	MemberKey   string `json:"memberPubkey"`
	State       string `json:"state" jsonschema:"online, away or offline"`
	Status      string `json:"status" jsonschema:"idle, working or dnd"`
	Own         string `json:"own,omitempty" jsonschema:"this: the asking session; yours: another session of your member"`
	Summary     string `json:"summary,omitempty"`
	Role        string `json:"role,omitempty"`
	Cwd         string `json:"cwd,omitempty"`
	Host        string `json:"hostname,omitempty"`
	PeerType    string `json:"peerType,omitempty"`
	Channel     string `json:"channel,omitempty"`
	Model       string `json:"model,omitempty"`
	Path        string `json:"path,omitempty" jsonschema:"how it is reached: same node, local, direct, relayed or unreachable"`
	RTT         string `json:"rtt,omitempty" jsonschema:"round-trip time, as in 1.2ms"`
	ConnectedAt string `json:"connectedAt,omitempty" jsonschema:"RFC 3339"`
	LastSeen    string `json:"lastSeen,omitempty" jsonschema:"RFC 3339"`
}

// Text has a section per mesh and a line per peer.
func (r PeersResponse) Text() string {
	if len(r.Meshes) == 0 {
		return "You are in no mesh. Run `claudemesh new <name>` or `claudemesh join <link>`."
	}
	var b strings.Builder
	for _, m := range r.Meshes {
		fmt.Fprintf(&b, "%s: %d peer(s)\n", m.Mesh, len(m.Peers))
		for _, p := range m.Peers {
			b.WriteString("  " + p.line() + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// line shows what the JSON holds, shortest first.
func (p Peer) line() string {
	parts := []string{p.Name, "[" + p.Status + "]"}
	if p.State != "online" {
		parts[1] = "[" + p.State + "]"
	}
	switch p.Own {
	case "this":
		parts = append(parts, "(this session)")
	case "yours":
		parts = append(parts, "(your other session)")
	}
	if p.Member != p.Name {
		parts = append(parts, "of "+p.Member)
	}
	for _, s := range []string{p.Role, p.Channel, p.Model, strings.TrimSpace(p.Path + " " + p.RTT)} {
		if s != "" {
			parts = append(parts, "· "+s)
		}
	}
	if p.Session != "" {
		parts = append(parts, "· "+p.Session[:16])
	}
	if p.Cwd != "" {
		parts = append(parts, "· "+p.Cwd)
	}
	if p.Summary != "" {
		parts = append(parts, fmt.Sprintf("· %q", p.Summary))
	}
	return strings.Join(parts, " ")
}

// SummaryRequest carries the summary.
type SummaryRequest struct {
	op.InMesh
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

// InfoRequest asks about one mesh.
type InfoRequest struct{ op.InMesh }

// InfoResponse describes a mesh as its members see it.
type InfoResponse struct {
	Slug    string       `json:"slug"`
	ID      string       `json:"meshId"`
	Name    string       `json:"displayName" jsonschema:"your name"`
	Member  string       `json:"memberId" jsonschema:"your member key, hex"`
	Role    string       `json:"role"`
	Peers   int          `json:"peerCount" jsonschema:"sessions online, yours included"`
	Members []MemberInfo `json:"members"`
}

// MemberInfo is one member.
type MemberInfo struct {
	Name string `json:"name"`
	Key  string `json:"pubkey"`
	Role string `json:"role"`
}

// Text lists the same facts.
func (r InfoResponse) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Mesh %s (%s)\nYou: %s (%s), member key %s\nSessions online: %d\nMembers: %d\n",
		r.Slug, r.ID, r.Name, r.Role, r.Member[:16], r.Peers, len(r.Members))
	for _, m := range r.Members {
		fmt.Fprintf(&b, "  %s (%s) %s\n", m.Name, m.Role, m.Key[:16])
	}
	return strings.TrimRight(b.String(), "\n")
}

// WhoamiRequest asks who the caller is.
type WhoamiRequest struct{}

// WhoamiResponse names the caller in each mesh.
type WhoamiResponse struct {
	Session string     `json:"session,omitempty" jsonschema:"local id of the calling session; empty for the person at the terminal"`
	Agent   string     `json:"agent_session,omitempty"`
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
