package presence

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Peers lists sessions.
var Peers = op.Spec[PeersRequest, PeersResponse]{
	ID:    "peers.list",
	Doc:   "List the agent sessions and people you can message: name, status, groups, how they are reached, what they work on.",
	Names: op.Names{Tool: "list_peers", CLI: "peers"},
	Core:  true,
	Eager: true,
}

// PeersRequest asks for peers of one mesh or of all.
type PeersRequest struct {
	op.InMesh
	All bool `json:"all,omitempty" jsonschema:"also those that are offline, and members without a session"`
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
	Name         string   `json:"displayName"`
	Session      string   `json:"pubkey" jsonschema:"the session's public key, hex; empty for a member without a session"`
	Member       string   `json:"memberName"`
	MemberKey    string   `json:"memberPubkey"`
	Avatar       string   `json:"avatar,omitempty"`
	Title        string   `json:"title,omitempty"`
	RoleTag      string   `json:"roleTag,omitempty"`
	State        string   `json:"state" jsonschema:"of the session: online, away or offline; of a member without one: memberState"`
	MemberState  string   `json:"memberState" jsonschema:"of the member: online while its node is, whatever sessions are open; away or offline"`
	Status       string   `json:"status" jsonschema:"idle, working or dnd"`
	StatusSource string   `json:"statusSource,omitempty" jsonschema:"who said so: hook, manual or inferred"`
	StatusAge    string   `json:"statusAge,omitempty" jsonschema:"how long ago it was said, as in 42s"`
	Verified     bool     `json:"verified,omitempty" jsonschema:"whether you compared the member's key"`
	Warning      string   `json:"warning,omitempty" jsonschema:"why the peer may not be who it seems to be"`
	Own          string   `json:"own,omitempty" jsonschema:"this: the asking session; yours: another session of your member"`
	Hidden       bool     `json:"hidden,omitempty" jsonschema:"whether it hides: only your own sessions are shown then"`
	Groups       []string `json:"groups,omitempty" jsonschema:"as @name or @name:role"`
	Summary      string   `json:"summary,omitempty"`
	Role         string   `json:"role,omitempty"`
	Cwd          string   `json:"cwd,omitempty"`
	Host         string   `json:"hostname,omitempty"`
	PeerType     string   `json:"peerType,omitempty"`
	Channel      string   `json:"channel,omitempty"`
	Model        string   `json:"model,omitempty"`
	Path         string   `json:"path,omitempty" jsonschema:"how it is reached: same node, local, direct, relayed or unreachable"`
	RTT          string   `json:"rtt,omitempty" jsonschema:"round-trip time, as in 1.2ms"`
	ConnectedAt  string   `json:"connectedAt,omitempty" jsonschema:"RFC 3339"`
	LastSeen     string   `json:"lastSeen,omitempty" jsonschema:"RFC 3339"`
}

// Text has a section per mesh and a line per peer.
func (r PeersResponse) Text() string {
	if len(r.Meshes) == 0 {
		return "You are in no mesh. Run `claudemesh new <name>` or `claudemesh join <link>`."
	}
	var b strings.Builder
	for _, m := range r.Meshes {
		fmt.Fprintf(&b, "%s (%s): %d peer(s)\n", m.Mesh, m.ID[:8], len(m.Peers))
		for _, p := range m.Peers {
			b.WriteString("  " + p.line() + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// line shows what the JSON holds, shortest first.
func (p Peer) line() string {
	parts := append(p.who(), p.doing())
	if p.Hidden {
		parts = append(parts, "[hidden]")
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
	parts = append(parts, p.Groups...)
	for _, s := range []string{
		p.Role, p.RoleTag, p.PeerType, p.Channel, p.Model, strings.TrimSpace(p.Path + " " + p.RTT),
		short("key ", p.Session), short("member ", p.MemberKey), p.Host, p.Cwd,
	} {
		if s != "" {
			parts = append(parts, "· "+s)
		}
	}
	if p.Verified {
		parts = append(parts, "· verified")
	}
	if p.Warning != "" {
		parts = append(parts, "· WARNING: "+p.Warning)
	}
	if p.State != string(roster.Online) && p.LastSeen != "" {
		parts = append(parts, "· last seen "+p.LastSeen)
	}
	if p.Summary != "" {
		parts = append(parts, fmt.Sprintf("· %q", p.Summary))
	}
	return strings.Join(parts, " ")
}

// who is the peer's name with what its profile adds.
func (p Peer) who() []string {
	var parts []string
	if p.Avatar != "" {
		parts = append(parts, p.Avatar)
	}
	parts = append(parts, p.Name)
	if p.Title != "" {
		parts = append(parts, "("+p.Title+")")
	}
	return parts
}

// doing is the status, or else why there is none.
func (p Peer) doing() string {
	switch {
	case p.Session == "":
		return "[" + p.State + ", no session]"
	case p.State != string(roster.Online) && p.MemberState == string(roster.Online):
		return "[" + p.State + ", member online]"
	case p.State != string(roster.Online):
		return "[" + p.State + "]"
	case p.StatusSource == "":
		return "[" + p.Status + "]"
	}
	return "[" + p.Status + ", " + p.StatusSource + " " + p.StatusAge + " ago]"
}

// short is what one needs of a key to name it.
func short(what, key string) string {
	if len(key) < 16 {
		return ""
	}
	return what + key[:16]
}

func (f *Feature) answerPeers(_ context.Context, c op.Caller, in PeersRequest) (PeersResponse, error) {
	meshes, err := f.scope(in.Mesh)
	if err != nil {
		return PeersResponse{}, err
	}
	out := PeersResponse{Meshes: []MeshPeers{}}
	for _, m := range meshes {
		out.Meshes = append(out.Meshes, MeshPeers{Mesh: m.Slug, ID: m.ID.String(), Peers: f.peers(c, m, in.All)})
	}
	return out, nil
}

// peers lists the sessions of a mesh; with all also those that are offline, and
// members of whom no session is known.
func (f *Feature) peers(c op.Caller, m Mesh, all bool) []Peer {
	members := f.cfg.Meshes.Members(m.ID)
	f.mu.Lock()
	sessions := f.known(m)
	mono := f.cfg.Mono()
	states := make(map[ident.PublicKey]roster.State, len(members))
	ages := make(map[ident.PublicKey]time.Duration)
	for _, p := range members {
		states[p.Key] = f.state(m, p.Key)
		for _, s := range sessions[p.Key] {
			ages[s.Key] = f.statusAge(m, s, mono)
		}
	}
	f.mu.Unlock()
	out := []Peer{}
	for _, p := range members {
		one := f.peerOf(m, p, states[p.Key])
		listed, old := 0, superseded(sessions[p.Key])
		for _, s := range sessions[p.Key] {
			if s.sight == roster.Unlisted || old[s.Key] || s.state == roster.Offline && !all {
				continue
			}
			listed++
			out = append(out, f.regarded(m, p.Key, one.with(s, ages[s.Key], c)))
		}
		if listed == 0 && all && p.Key != m.Self {
			out = append(out, f.regarded(m, p.Key, one))
		}
	}
	slices.SortFunc(out, func(a, b Peer) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Session, b.Session))
	})
	return out
}

// peerOf is what is true of all sessions of a member, who is in the state state.
func (f *Feature) peerOf(m Mesh, p Member, state roster.State) Peer {
	prof := f.profile(m.ID, p.Key)
	one := Peer{
		Name: p.Name, Member: p.Name, MemberKey: p.Key.String(), State: string(state), MemberState: string(state), Status: status.Idle,
		Avatar: prof.Avatar, Title: prof.Title, RoleTag: prof.RoleTag, Path: "same node",
	}
	if p.Key == m.Self {
		return one
	}
	path, rtt := f.cfg.Air.Path(m.ID, p.Key)
	one.Path = path
	if rtt > 0 {
		one.RTT = rtt.Round(10 * time.Microsecond).String()
	}
	return one
}

// regarded is a peer as the own member regards it.
func (f *Feature) regarded(m Mesh, member ident.PublicKey, p Peer) Peer {
	if f.cfg.Regard == nil || member == m.Self {
		return p
	}
	p.Verified, p.Warning = f.cfg.Regard.Verified(m.ID, member), f.cfg.Regard.Warning(m.ID, member)
	if !f.cfg.Regard.Reads(m.ID, member) {
		p.Avatar, p.Title, p.RoleTag, p.Summary, p.Role = "", "", "", "", ""
		p.Cwd, p.Host, p.PeerType, p.Channel, p.Model = "", "", "", "", ""
	}
	return p
}

// reads tells whether what a member says of itself is shown here.
func (f *Feature) reads(m Mesh, member ident.PublicKey) bool {
	return f.cfg.Regard == nil || member == m.Self || f.cfg.Regard.Reads(m.ID, member)
}

// with is the member's session s, its status said age ago, as c sees it.
func (p Peer) with(s known, age time.Duration, c op.Caller) Peer {
	p.Name, p.Session, p.State, p.Status = s.Name, s.Key.String(), string(s.state), s.Status.Value
	if s.state != roster.Offline {
		p.StatusSource, p.StatusAge = string(s.Status.Source), age.Truncate(time.Second).String()
	}
	p.Groups, p.Summary, p.Role, p.Cwd, p.Host = group.Strings(s.groups), s.Summary, s.Role, s.Cwd, s.Host
	p.PeerType, p.Channel, p.Model = s.Kind, s.Channel, s.Model
	p.ConnectedAt, p.LastSeen = stamp(s.Opened), stamp(s.seen)
	if s.own != nil {
		p.Hidden = s.sight == roster.Hiding
		p.Own = "yours"
		if s.own.ID == c.Session {
			p.Own = "this"
		}
	}
	return p
}

// statusAge is how long ago a session's status was said. Another node's clock is
// compared with itself alone. The caller holds f.mu.
func (f *Feature) statusAge(m Mesh, s known, mono time.Duration) time.Duration {
	if s.own != nil {
		return s.Status.Age(f.cfg.Now())
	}
	h, ok := f.roster(m.ID).Homes[s.member]
	if !ok {
		return 0
	}
	return s.Status.Age(h.Beacon.Clock) + max(h.Age(mono), 0)
}
