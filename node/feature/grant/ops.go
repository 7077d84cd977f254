package grant

import (
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Add gives a peer capabilities.
var Add = op.Spec[AddRequest, PeerResponse]{
	ID: "grant.add",
	Doc: "Let a peer do more: read, dm, broadcast, state-read, state-write, file-read, or all. Nobody else is told.\n" +
		"read: what it says of itself is shown here. dm, broadcast: its messages are taken. state-read: what it wrote to\n" +
		"shared state is shown. state-write: what it writes counts. file-read: it may fetch files that you share with it.",
	Names: op.Names{CLI: "grant <peer> <cap…>"},
	Needs: op.Manage,
}

// Remove takes capabilities from a peer.
var Remove = op.Spec[RemoveRequest, PeerResponse]{
	ID:    "grant.remove",
	Doc:   "Let a peer do less, or nothing with all. What is refused or hidden from then on is kept out of sight, and the peer sees no difference.",
	Names: op.Names{CLI: "revoke <peer> <cap…|all>"},
	Needs: op.Manage,
}

// Block takes all of them.
var Block = op.Spec[BlockRequest, PeerResponse]{
	ID:    "grant.block",
	Doc:   "Block a peer: nothing of it is shown here any more, neither messages nor state nor what it says of itself. It sees no difference: its messages look unread.",
	Names: op.Names{CLI: "block <peer>"},
	Needs: op.Manage,
}

// Unblock forgets what was said of a peer.
var Unblock = op.Spec[UnblockRequest, PeerResponse]{
	ID:    "grant.unblock",
	Doc:   "Forget what was granted to a peer or taken from it: the default holds for it again. What it sent meanwhile stays out of sight unless it is asked for.",
	Names: op.Names{CLI: "unblock <peer>"},
	Needs: op.Manage,
}

// List shows what was said of whom.
var List = op.Spec[ListRequest, ListResponse]{
	ID:    "grant.list",
	Doc:   "Show what you let each peer do, and the default for all others.",
	Names: op.Names{CLI: "grants"},
}

// Default changes what others may do of whom nothing was said.
var Default = op.Spec[DefaultRequest, ListResponse]{
	ID:    "grant.default",
	Doc:   "Change what those may do of whom nothing was said, at first read, dm, broadcast and state-read; none lets in only whom you grant something.",
	Needs: op.Manage,
}

// WhichPeer is embedded by requests that name a peer.
type WhichPeer struct {
	Peer string `json:"peer" jsonschema:"a member's or session's name, or 8 or more digits of its key"`
}

// AddRequest names a peer and capabilities.
type AddRequest struct {
	op.InMesh
	WhichPeer
	Caps []string `json:"capabilities" jsonschema:"some of read, dm, broadcast, state-read, state-write, file-read, or all"`
}

// RemoveRequest names a peer and capabilities.
type RemoveRequest struct {
	op.InMesh
	WhichPeer
	Caps []string `json:"capabilities" jsonschema:"some of read, dm, broadcast, state-read, state-write, file-read, or all"`
}

// BlockRequest names a peer.
type BlockRequest struct {
	op.InMesh
	WhichPeer
}

// UnblockRequest names a peer.
type UnblockRequest struct {
	op.InMesh
	WhichPeer
	Held bool `json:"held,omitempty" jsonschema:"whether to have what it sent meanwhile wait for you like other mail"`
}

// PeerResponse is what one peer may do now.
type PeerResponse struct {
	Slug string `json:"mesh"`
	Granted
	// Released counts messages that wait again.
	Released int `json:"released,omitempty"`
}

// Granted is what one principal may do.
type Granted struct {
	Name    string   `json:"name,omitempty" jsonschema:"empty for who is no member any more"`
	Key     string   `json:"pubkey" jsonschema:"the principal: the member's key, hex"`
	Caps    []string `json:"capabilities"`
	Writes  string   `json:"stateWrites" jsonschema:"whether its writes to shared state count here: yes, no, or as the mesh says"`
	Blocked bool     `json:"blocked,omitempty"`
}

// Text says it in one sentence.
func (r PeerResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r PeerResponse) Lines() []op.Phrase {
	lines := []op.Phrase{op.Phrasef("In %s, %s %s.", r.Slug, r.called(), r.May())}
	if r.Released > 0 {
		lines = append(lines, op.Phrasef("%d message(s) that were held wait for you now.", r.Released))
	}
	return lines
}

func (g Granted) called() op.Phrase {
	if g.Name == "" {
		return op.Phrasef("member %s", g.Key[:16])
	}
	return op.Phrasef("%s", g.Name)
}

// May says what it may do, without saying who.
func (g Granted) May() op.Phrase {
	if g.Blocked {
		return op.Word("is blocked")
	}
	text := op.Word("may do nothing")
	if len(g.Caps) > 0 {
		text = op.Phrasef("may %s", strings.Join(g.Caps, ", "))
	}
	if g.Writes == writesNo {
		return op.Phrasef("%s; its writes to shared state do not count", text)
	}
	return text
}

// ListRequest asks about one mesh.
type ListRequest struct{ op.InMesh }

// DefaultRequest carries the new default.
type DefaultRequest struct {
	op.InMesh
	Caps []string `json:"capabilities" jsonschema:"some of read, dm, broadcast, state-read, state-write, file-read; or all, or none"`
}

// ListResponse is what was said in one mesh.
type ListResponse struct {
	Slug string `json:"mesh"`
	// Grants has the capabilities by the principal's key.
	Grants  map[string][]string `json:"grants"`
	Default []string            `json:"default" jsonschema:"what all others may do"`
	Peers   []Granted           `json:"peers" jsonschema:"the same as grants, by name"`
}

// Text has a line per principal.
func (r ListResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r ListResponse) Lines() []op.Phrase {
	lines := make([]op.Phrase, 0, len(r.Peers)+1)
	for _, p := range r.Peers {
		lines = append(lines, op.Phrasef("%s (%s) %s", p.called(), p.Key[:16], p.May()))
	}
	others := op.Phrasef("everybody in %s", r.Slug)
	if len(r.Peers) > 0 {
		others = op.Phrasef("all others in %s", r.Slug)
	}
	may := Granted{Caps: r.Default}.May()
	return append(lines, op.Phrasef("%s %s", others, may))
}
