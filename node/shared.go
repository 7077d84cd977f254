package node

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/backup"
	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/grant"
	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/address"
	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/profile"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/policy"
	"github.com/claudemesh/claudemesh/overlay/ask"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// shared are the features that work on shared records.
type shared struct {
	grants   *grant.Feature
	gate     *policy.Gate
	audits   *audit.Feature
	states   *state.Feature
	profiles *profile.Feature
	overview *overview.Feature
	saver    *backup.Saver
	health   *health.Feature

	callNames sync.Mutex // guards calls
	calls     map[ident.MeshID]called
}

// newShared builds them. It comes after presence, the book and the network.
func (n *Node) newShared() {
	all := people{n.meshes, n.names}
	n.calls = make(map[ident.MeshID]called)
	n.profiles = profile.New(profile.Config{
		Book: n.book, Meshes: registry{people{meshes: n.meshes}, n.presence}, Changed: n.profileChanged, Now: n.cfg.Now, Log: n.log,
		Reads: n.reads,
	})
	n.states = state.New(state.Config{
		DB: n.db, Book: n.book, Sessions: facts{all, n.presence, n.cfg.Now}, Meshes: facts{all, n.presence, n.cfg.Now}, Grants: stateRules{n}, Mono: n.cfg.Mono,
	})
	v := view{all, n.presence, n.states, n.net, n.db}
	n.saver = &backup.Saver{Content: n.saved}
	n.health = health.New(facility{n})
	n.overview = overview.New(overview.Config{Sessions: v, Meshes: v, Air: v, Stock: v, Mono: n.cfg.Mono})
}

// startShared comes after the book's start: from now on names and modes are those of
// the profiles.
func (n *Node) startShared(ctx context.Context) error {
	n.profiles.Start()
	for _, m := range n.meshes.All() {
		n.checkStanding(ctx, m.ID()) // it may have ended before it told
	}
	return n.presence.Refresh(ctx)
}

// profileChanged has sessions follow their member's profile. Another member's name can
// decide about the own one's, too.
func (n *Node) profileChanged(ctx context.Context, id ident.MeshID, member ident.PublicKey) {
	if m, ok := n.meshes.Get(id); ok && member == m.Self() {
		n.presence.Announce()
	}
	if err := n.presence.Reprofile(ctx, id); err != nil && ctx.Err() == nil {
		n.log.Warn("sessions do not follow their profile", "mesh", id, "error", err)
	}
	n.membersChanged(ctx, id)
}

// names gives the members of a mesh the names that count for them.
type names func(ident.MeshID) map[ident.PublicKey]string

// of is a member's name; admitted is the one in the admin log.
func (n names) of(id ident.MeshID, member ident.PublicKey, admitted string) string {
	if n == nil {
		return admitted
	}
	if name, ok := n(id)[member]; ok {
		return name
	}
	return admitted
}

// names are those that profiles give, once there are any. They are asked for with every
// message: they are worked out anew only when the admin log or a profile has changed.
// Nobody changes the map.
func (n *Node) names(id ident.MeshID) map[ident.PublicKey]string {
	m, ok := n.meshes.Get(id)
	if n.profiles == nil || !ok {
		return nil
	}
	is := called{log: m.State(), version: n.profiles.Version()}
	n.callNames.Lock()
	was, known := n.calls[id]
	n.callNames.Unlock()
	if known && was.log == is.log && was.version == is.version {
		return was.names
	}
	is.names = n.profiles.Names(id)
	n.callNames.Lock()
	n.calls[id] = is
	n.callNames.Unlock()
	return is.names
}

// called are the names of a mesh, and what they were worked out from.
type called struct {
	log     *trust.State
	version uint64
	names   map[ident.PublicKey]string
}

// profileOf shows profiles to the presence feature.
func (n *Node) profileOf(id ident.MeshID, member ident.PublicKey) presence.Profile {
	if n.profiles == nil {
		return presence.Profile{}
	}
	p := n.profiles.Profile(id, member)
	out := presence.Profile{Avatar: p.Avatar, Title: p.Title, RoleTag: p.RoleTag, Mode: p.Mode, Seen: p.Seen}
	for _, g := range p.Groups {
		out.Groups = append(out.Groups, group.Group{Name: g.Name, Role: g.Role})
	}
	return out
}

// facts shows presence and the meshes to the state feature.
type facts struct {
	people
	presence *presence.Feature
	now      func() time.Time
}

// Caller implements state.Sessions.
func (f facts) Caller(c op.Caller, slug string) (state.Self, error) {
	l, err := f.presence.Caller(c, slug)
	if err != nil {
		return state.Self{}, err
	}
	s := stateSelf(l)
	if m, ok := f.meshes.Get(l.Mesh); ok {
		_, err := m.Vouched(l.Member, l.Attest, f.now(), trust.RightStateWrite)
		s.MayWrite = err == nil
	}
	return s, nil
}

// Local implements state.Sessions.
func (f facts) Local(id ident.MeshID) []state.Self {
	var out []state.Self
	for _, l := range f.presence.Locals(id) {
		out = append(out, stateSelf(l))
	}
	return out
}

func stateSelf(l presence.Local) state.Self {
	return state.Self{Mesh: l.Mesh, Slug: l.Slug, Member: l.Member, Session: l.Session, Name: l.Name, ID: l.ID, Blind: lacks(l, trust.RightStateRead)}
}

// Members implements state.Meshes.
func (f facts) Members(id ident.MeshID) []state.Member {
	var out []state.Member
	for _, m := range f.people.Members(id) {
		out = append(out, state.Member{Key: m.Key, Name: m.Name})
	}
	return out
}

// Author implements state.Meshes. Of somebody who is gone the key says who it was.
func (f facts) Author(id ident.MeshID, member ident.PublicKey, session string) string {
	name := "member " + member.String()[:16]
	if m, ok := f.meshes.Get(id); ok {
		if one, in := m.State().Member(member); in {
			name = f.names.of(id, member, one.Name)
		}
	}
	if session == "" {
		return name
	}
	return address.Qualified(session, name)
}

// Setting implements state.Meshes.
func (f facts) Setting(id ident.MeshID, key string) string {
	m, ok := f.meshes.Get(id)
	if !ok {
		return ""
	}
	return m.Setting(key)
}

// SetSetting implements state.Meshes.
func (f facts) SetSetting(ctx context.Context, id ident.MeshID, key, value string) error {
	m, ok := f.meshes.Get(id)
	if !ok {
		return mesh.ErrNotHere
	}
	return m.SetSetting(ctx, key, value)
}

// registry shows the meshes to the profile feature, by the names of the admin log.
type registry struct {
	people
	presence *presence.Feature
}

// Caller implements profile.Meshes.
func (r registry) Caller(c op.Caller, slug string) (profile.Self, error) {
	l, err := r.presence.Caller(c, slug)
	return profile.Self{Mesh: l.Mesh, Slug: l.Slug, Member: l.Member}, err
}

// List implements profile.Meshes.
func (r registry) List() []profile.Self {
	var out []profile.Self
	for _, m := range r.people.List() {
		out = append(out, profile.Self{Mesh: m.ID, Slug: m.Slug, Member: m.Self})
	}
	return out
}

// Members implements profile.Meshes.
func (r registry) Members(id ident.MeshID) []profile.Member {
	var out []profile.Member
	for _, m := range r.people.Members(id) {
		out = append(out, profile.Member{Key: m.Key, Name: m.Name, Role: m.Role})
	}
	return out
}

// Admin implements profile.Meshes.
func (r registry) Admin(id ident.MeshID, member ident.PublicKey) bool {
	m, ok := r.meshes.Get(id)
	return ok && m.State().Role(member) >= trust.RoleAdmin
}

// view shows the other features to the overview.
type view struct {
	people
	presence *presence.Feature
	states   *state.Feature
	net      *network
	db       *store.DB
}

// Caller implements overview.Sessions.
func (v view) Caller(c op.Caller, slug string) (overview.Self, error) {
	l, err := v.presence.Caller(c, slug)
	if err != nil {
		return overview.Self{}, err
	}
	return v.self(l), nil
}

// Local implements overview.Sessions.
func (v view) Local(id ident.MeshID) []overview.Self {
	var out []overview.Self
	for _, l := range v.presence.Locals(id) {
		out = append(out, v.self(l))
	}
	return out
}

func (v view) self(l presence.Local) overview.Self {
	s := overview.Self{
		Mesh: overview.Mesh{ID: l.Mesh, Slug: l.Slug, Self: l.Member}, Session: l.Session, Name: l.Name, Status: l.Status,
		Mode: l.Mode, Attached: l.Attached, Visible: l.Visible, Person: l.ID == presence.UserSession,
	}
	if m, ok := v.meshes.Get(l.Mesh); ok {
		s.Mesh.Role = m.State().Role(l.Member).String()
	}
	for _, g := range l.Groups {
		s.Groups = append(s.Groups, overview.GroupOfPeer{Name: g.Name, Role: g.Role})
	}
	return s
}

// Peers implements overview.Sessions.
func (v view) Peers(id ident.MeshID) []overview.Peer {
	var out []overview.Peer
	for _, s := range v.presence.Stats(id) {
		p := overview.Peer{Name: s.Name, Session: s.Session, Member: s.Member, Online: s.Online, Done: &overview.Done{
			In: int(s.In), Out: int(s.Out), Calls: int(s.Calls), Errors: int(s.Errors), Uptime: s.Up,
		}}
		for _, g := range s.Groups {
			p.Groups = append(p.Groups, g.Name)
		}
		out = append(out, p)
	}
	return out
}

// List implements overview.Meshes.
func (v view) List() []overview.Mesh {
	var out []overview.Mesh
	for _, m := range v.people.List() {
		out = append(out, overview.Mesh{ID: m.ID, Slug: m.Slug, Self: m.Self, Role: m.Role})
	}
	return out
}

// Members implements overview.Meshes.
func (v view) Members(id ident.MeshID) []overview.Member {
	var out []overview.Member
	online := v.presence.OnlineMembers(id)
	for _, m := range v.people.Members(id) {
		out = append(out, overview.Member{Key: m.Key, Name: m.Name, Role: m.Role, Online: online[m.Key]})
	}
	slices.SortStableFunc(out, func(a, b overview.Member) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Path implements overview.Air.
func (v view) Path(id ident.MeshID, member ident.PublicKey) string {
	path, _ := v.net.Path(id, member)
	return path
}

// Probe implements overview.Air.
func (v view) Probe(ctx context.Context, id ident.MeshID, member ident.PublicKey, in overview.ProbeRequest) (overview.ProbeResponse, error) {
	out, err := overview.Probe.Call(ctx, remote{v.net.asker, id, member}, op.Caller{}, in)
	return out, offline(err)
}

// offline puts a question that got no answer into words for people.
func offline(err error) error {
	switch {
	case errors.Is(err, ask.ErrUnreachable):
		return op.Errorf(op.Offline, "the node cannot be reached now: %w", err)
	case errors.Is(err, ask.ErrTimeout):
		return op.Errorf(op.Unavailable, "the node did not answer in time: %w", err)
	}
	return err
}

// Keys implements overview.Stock.
func (v view) Keys(id ident.MeshID, most int) ([]string, int, error) { return v.states.Keys(id, most) }

// maxWaiting bounds how far messages that wait are counted, per recipient's node.
const maxWaiting = 1000

// Waiting implements overview.Stock.
func (v view) Waiting(id ident.MeshID) (count int, err error) {
	err = v.db.View(func(tx *store.Tx) error {
		box := outbox.In(tx)
		for _, home := range box.Homes() {
			if home.Mesh != id {
				continue
			}
			dues, err := box.Queue(home, 0, maxWaiting)
			if err != nil {
				return err
			}
			for _, d := range dues {
				if !d.Seen {
					count++
				}
			}
		}
		return nil
	})
	return count, err
}
