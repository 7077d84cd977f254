package overview

import (
	"github.com/claudemesh/claudemesh/node/op"
)

// Info describes the mesh.
var Info = op.Spec[InfoRequest, InfoResponse]{
	ID:    "mesh.info",
	Doc:   "Describe the mesh you are in: its name, members, groups and shared keys, how many peers are online, and who you are.",
	Names: op.Names{Tool: "mesh_info", CLI: "info"},
	Core:  true,
}

// Stats counts what the sessions have done.
var Stats = op.Spec[StatsRequest, StatsResponse]{
	ID:    "mesh.stats",
	Doc:   "Show what each peer has done since it began: messages in and out, tool calls, uptime and errors.",
	Names: op.Names{Tool: "mesh_stats", CLI: "stats"},
}

// Ping measures the way to the other members' nodes.
var Ping = op.Spec[PingRequest, PingResponse]{
	ID: "mesh.ping",
	Doc: "Check the mesh from end to end: a real round trip to each online member's node, and whether messages are pushed to you.\n" +
		"Nobody is disturbed: the other nodes answer by themselves and show nothing.",
	Names: op.Names{Tool: "ping_mesh", CLI: "ping"},
}

// Probe answers another member's ping. It is shown to nobody.
var Probe = op.Spec[ProbeRequest, ProbeResponse]{
	ID:    "mesh.probe",
	Doc:   "Answer a member's ping: whether a message of a priority would be shown to one of your sessions now.",
	Place: op.AtPeer,
}

// InfoRequest asks about one mesh.
type InfoRequest struct{ op.InMesh }

// InfoResponse describes a mesh as its members see it.
type InfoResponse struct {
	Slug       string        `json:"slug"`
	ID         string        `json:"meshId"`
	Name       string        `json:"displayName" jsonschema:"your name"`
	Member     string        `json:"memberId" jsonschema:"your member key, hex"`
	Role       string        `json:"role"`
	Groups     []GroupOfPeer `json:"yourGroups"`
	Peers      int           `json:"peerCount" jsonschema:"sessions online, yours included"`
	AllGroups  []string      `json:"groups" jsonschema:"the groups somebody is in, as in @frontend"`
	MoreGroups int           `json:"moreGroups,omitempty" jsonschema:"how many groups are not listed"`
	StateCount int           `json:"stateCount"`
	StateKeys  []string      `json:"stateKeys" jsonschema:"shared keys, the first by their order"`
	Online     int           `json:"membersOnline" jsonschema:"members whose nodes are online, you included"`
	Members    []MemberInfo  `json:"members"`
}

// GroupOfPeer is a group one is in, and as what.
type GroupOfPeer struct {
	Name string `json:"name" jsonschema:"without the @"`
	Role string `json:"role,omitempty"`
}

// MemberInfo is one member.
type MemberInfo struct {
	Name string `json:"name"`
	Key  string `json:"pubkey"`
	Role string `json:"role"`
}

// StatsRequest asks about one mesh or all.
type StatsRequest struct{ op.InMesh }

// StatsResponse has a table per mesh.
type StatsResponse struct {
	Meshes []MeshStats `json:"meshes"`
}

// MeshStats are the peers of one mesh.
type MeshStats struct {
	Slug  string      `json:"mesh"`
	ID    string      `json:"mesh_id"`
	Peers []PeerStats `json:"peers"`
}

// PeerStats is what one session has done. What is absent is not known.
type PeerStats struct {
	Name   string `json:"peer"`
	Own    bool   `json:"own,omitempty" jsonschema:"whether it is a session of yours"`
	In     *int   `json:"messagesIn,omitempty"`
	Out    *int   `json:"messagesOut,omitempty"`
	Calls  *int   `json:"toolCalls,omitempty"`
	Uptime *int   `json:"uptimeMinutes,omitempty"`
	Errors *int   `json:"errors,omitempty"`
}

// PingRequest asks for round trips.
type PingRequest struct {
	op.InMesh
	Priorities []Priority `json:"priorities,omitempty" jsonschema:"default: now and next"`
}

// PingResponse is how the mesh answered.
type PingResponse struct {
	Slug       string `json:"mesh_slug"`
	ID         string `json:"mesh_id"`
	Connection string `json:"connection" jsonschema:"connected, alone (no other member's node is reached) or empty (there is no other member)"`
	Name       string `json:"yourName"`
	Status     string `json:"yourStatus" jsonschema:"idle, working or dnd"`
	Online     int    `json:"peersOnline" jsonschema:"sessions online, those of your member not counted"`
	Members    int    `json:"membersOnline" jsonschema:"other members whose nodes are online, whatever sessions are open there"`
	Buffered   int    `json:"buffered" jsonschema:"messages of this node that wait for their recipient's node"`

	Priorities []Trips  `json:"priorities"`
	Skipped    int      `json:"skipped,omitempty" jsonschema:"members online that were not asked, because there are too many"`
	Pipeline   Pipeline `json:"pipeline"`
}

// Trips are the round trips of one priority.
type Trips struct {
	Priority Priority `json:"priority"`
	// Held says why your own session would not be shown a message of this priority
	// now; empty if it would be.
	Held  string `json:"held,omitempty"`
	Trips []Trip `json:"trips"`
}

// Trip is the round trip to one member's node.
type Trip struct {
	Name   string  `json:"member"`
	Member string  `json:"memberPubkey"`
	Path   string  `json:"path" jsonschema:"how the node is reached: local, direct, relayed or unreachable"`
	MS     float64 `json:"ms,omitempty" jsonschema:"milliseconds from question to answer"`
	// Held says why a message of this priority would not be shown there now.
	Held  string `json:"held,omitempty"`
	Error string `json:"error,omitempty" jsonschema:"why there was no answer"`
	Code  string `json:"code,omitempty" jsonschema:"the kind of failure"`
}

// Pipeline is what a message goes through on its last inch.
type Pipeline struct {
	Attached      bool   `json:"pushHandler" jsonschema:"whether a feed of your session is attached"`
	Mode          string `json:"messageMode" jsonschema:"push, inbox or off"`
	Notifications bool   `json:"notifications" jsonschema:"whether messages come to you by themselves"`
}

// ProbeRequest asks about the priority of a message.
type ProbeRequest struct {
	Priority Priority `json:"priority"`
}

// ProbeResponse tells what would become of one.
type ProbeResponse struct {
	// Held says why a message of that priority would wait; empty if it would be
	// shown now.
	Held string `json:"held,omitempty"`
}
