package health

import (
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Show tells how this node is.
var Show = op.Spec[ShowRequest, ShowResponse]{
	ID:  "node.health",
	Doc: "Tell how this node itself is: what it listens on, whether it finds others on the local network, its clock, and what its sessions speak.",
}

// Speak tells what a session's MCP server and its client have agreed on.
var Speak = op.Spec[SpeakRequest, SpeakResponse]{
	ID:  "session.speak",
	Doc: "Tell which protocol a session's MCP server and its client have agreed on. The MCP server calls it.",
}

// ShowRequest asks for it.
type ShowRequest struct{}

// ShowResponse is how the node is.
type ShowResponse struct {
	Peer     string    `json:"peer" jsonschema:"this node's address key on the network"`
	User     int       `json:"uid" jsonschema:"the user it runs as, -1 where there are no such numbers"`
	Program  string    `json:"program" jsonschema:"the file it was started from"`
	Ports    []Port    `json:"ports"`
	LAN      LAN       `json:"lan"`
	Meshes   []Mesh    `json:"meshes"`
	Sessions []Session `json:"sessions"`
}

// Port is an address that was to be listened on.
type Port struct {
	Wanted string `json:"wanted" jsonschema:"as it is set; port 0 is any free one"`
	// Actual are the addresses that it became; none: it could not be had.
	Actual []string `json:"actual"`
}

// LAN is the search on the local network.
type LAN struct {
	State string `json:"state" jsonschema:"on, off (by the settings), loopback (nobody could reach this node) or failed"`
	Why   string `json:"why,omitempty" jsonschema:"of failed: what the system said"`
	Found int    `json:"found" jsonschema:"nodes that turned up there since the start"`
}

// The states of the search.
const (
	LANOn       = "on"
	LANOff      = "off"
	LANLoopback = "loopback"
	LANFailed   = "failed"
)

// Mesh is what this node notices in one mesh.
type Mesh struct {
	ID   string `json:"mesh_id"`
	Slug string `json:"mesh"`
	// Offset is how far the others' clocks are ahead of this one, their median.
	Offset int64 `json:"clock_offset_ms"`
	Clocks int   `json:"clocks" jsonschema:"how many other members' clocks that is from; 0: none is known"`
	Twin   bool  `json:"twin,omitempty" jsonschema:"whether another node signs with this one's member key"`
}

// Session is an open session of an agent on this machine.
type Session struct {
	ID       string `json:"session"`
	Name     string `json:"name,omitempty"`
	Agent    string `json:"agent,omitempty" jsonschema:"the agent's kind, as in claude-code"`
	PID      int    `json:"pid,omitempty"`
	Attached bool   `json:"attached" jsonschema:"whether its MCP server listens now"`
	Mode     string `json:"mode" jsonschema:"push, inbox or off"`
	// Unconfirmed are messages that were pushed and of which nothing shows that they
	// were seen.
	Unconfirmed int `json:"unconfirmed"`
	// Arrived tells that pushed messages were seen in what its model is given.
	Arrived bool `json:"arrived"`
	Speech
}

// Speech is what an MCP server and its client have agreed on. Empty: not told.
type Speech struct {
	Protocol string `json:"protocol,omitempty" jsonschema:"the revision of the protocol"`
	Client   string `json:"client,omitempty" jsonschema:"name and version of the agent's client"`
	Server   string `json:"server,omitempty" jsonschema:"version of the MCP server's program"`
}

// SpeakRequest carries it.
type SpeakRequest struct{ Speech }

// SpeakResponse is empty: it is noted.
type SpeakResponse struct{}

// Text has a line per fact.
func (r ShowResponse) Text() string {
	lines := []string{fmt.Sprintf("node %s, user %d, started from %s", r.Peer, r.User, r.Program)}
	for _, p := range r.Ports {
		actual := strings.Join(p.Actual, ", ")
		if actual == "" {
			actual = "could not be had"
		}
		lines = append(lines, p.Wanted+": "+actual)
	}
	lines = append(lines, fmt.Sprintf("local network: %s, found %d %s", r.LAN.State, r.LAN.Found, r.LAN.Why))
	for _, m := range r.Meshes {
		lines = append(lines, fmt.Sprintf("%s: others' clocks %d ms ahead (of %d), twin: %t", m.Slug, m.Offset, m.Clocks, m.Twin))
	}
	for _, s := range r.Sessions {
		lines = append(lines, fmt.Sprintf("session %s %s: protocol %s, client %s, server %s, listens: %t, pushes arrive: %t, unconfirmed %d",
			s.ID, s.Name, s.Protocol, s.Client, s.Server, s.Attached, s.Arrived, s.Unconfirmed))
	}
	return strings.Join(lines, "\n")
}
