package presence

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/address"
	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/passing"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// coming is what an event of somebody who came or went carries beyond its sentence.
type coming struct {
	Name     string   `json:"name"`
	Session  string   `json:"pubkey"`
	Member   string   `json:"memberPubkey"`
	Groups   []string `json:"groups,omitempty"`
	LastSeen string   `json:"lastSeenAt,omitempty"`
	Summary  string   `json:"summary,omitempty"`
}

// Listen hears passing events for a session of this node, or for the person at the
// terminal. The listener must be closed.
func (f *Feature) Listen(session string) *passing.Listener[op.Event] { return f.hub.Listen(session) }

// watch tells this node's sessions who came and went in a mesh.
func (f *Feature) watch(m Mesh) {
	now := f.cfg.Now()
	f.mu.Lock()
	news := f.watchOf(m.ID).Look(f.roster(m.ID), now, f.cfg.Mono())
	f.mu.Unlock()
	if len(news) == 0 {
		return
	}
	names := make(map[ident.PublicKey]string)
	for _, p := range f.cfg.Meshes.Members(m.ID) {
		names[p.Key] = p.Name
	}
	for _, n := range news {
		if !f.mayTell(m.ID, n.Member) {
			continue
		}
		name := n.Card.Name
		if member, ok := names[n.Member]; ok {
			name = address.Qualified(name, member)
		}
		if f.reads(m, n.Member) {
			f.tell(m, n, name, now)
		}
		if f.cfg.Seen != nil {
			f.cfg.Seen(m.ID, n.Member, string(n.Turn), name)
		}
	}
}

// How much of one member's coming and going others are told: what is more would fill
// the conversations of all agents of the mesh.
const (
	tellBurst = roster.MaxSessions
	tellEvery = 10 * time.Second
)

// inMesh is a member of a mesh.
type inMesh struct {
	mesh   ident.MeshID
	member ident.PublicKey
}

// mayTell takes one event from what may be told of a member.
func (f *Feature) mayTell(mesh ident.MeshID, member ident.PublicKey) bool {
	return f.telling.Allow(inMesh{mesh, member})
}

// watchOf returns the watch of a mesh. The caller holds f.mu.
func (f *Feature) watchOf(mesh ident.MeshID) *roster.Watch {
	w, ok := f.watches[mesh]
	if !ok {
		w = &roster.Watch{}
		w.Begin(f.cfg.Now(), f.cfg.Mono())
		f.watches[mesh] = w
	}
	return w
}

// tell gives one event to everybody who wants such.
func (f *Feature) tell(m Mesh, n roster.News, name string, now time.Time) {
	data, err := json.Marshal(coming{
		Name: name, Session: n.Card.Key.String(), Member: n.Member.String(), Groups: group.Strings(n.Card.Groups),
		LastSeen: stamp(n.Last), Summary: n.Card.Summary,
	})
	if err == nil {
		data, err = json.Marshal(op.System{Event: string(n.Turn), Text: sentence(n, name, now), Data: data})
	}
	if err != nil {
		f.cfg.Log.Warn("event not told", "mesh", m.ID, "event", n.Turn, "error", err)
		return
	}
	wanted := f.wanting(f.profile(m.ID, m.Self))
	f.hub.Tell(op.Event{Topic: op.TopicSystem, Mesh: m.ID.String(), Slug: m.Slug, Data: data}, func(session string) bool { return wanted[session] })
}

// wanting are the sessions that want to know who comes and goes, where their member
// says own of itself.
func (f *Feature) wanting(own Profile) map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]bool)
	for id, l := range f.sessions {
		out[id] = !l.Closed && !l.Quiet && f.mode(l, own) != "off"
	}
	return out
}

// sentence says what happened.
func sentence(n roster.News, name string, now time.Time) string {
	switch n.Turn {
	case roster.Joined:
		return fmt.Sprintf("Peer %q joined the mesh", name)
	case roster.Left:
		return fmt.Sprintf("Peer %q left the mesh", name)
	}
	text := fmt.Sprintf("Welcome back, %q!", name)
	if !n.Last.IsZero() {
		text += " Last seen " + ago(now.Sub(n.Last)) + "."
	}
	if len(n.Card.Groups) > 0 {
		text += " Groups: " + group.Names(n.Card.Groups) + "."
	}
	if s := strings.TrimSpace(n.Card.Summary); s != "" {
		text += fmt.Sprintf(" Summary: %q", s)
	}
	return text
}

// ago writes a duration as people say it.
func ago(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", d/time.Hour)
	default:
		return fmt.Sprintf("%d days ago", d/(24*time.Hour))
	}
}
