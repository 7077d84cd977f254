package presence

import (
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/address"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Caller returns the session that c acts as in the mesh it named; an empty slug
// means the only one.
func (f *Feature) Caller(c op.Caller, slug string) (Local, error) {
	m, err := f.pick(slug)
	if err != nil {
		return Local{}, err
	}
	id := c.Session
	if c.User {
		id = UserSession
	}
	own := f.profile(m.ID, m.Self)
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.sessions[id]
	if !ok {
		return Local{}, op.Errorf(op.NotFound, "there is no session %q", id)
	}
	return f.local(l, m, own)
}

// Mode is the message mode of the session that c acts as where it is in no mesh, empty
// if there is no such session.
func (f *Feature) Mode(c op.Caller) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l, ok := f.sessions[c.Session]; ok {
		return f.mode(l, Profile{})
	}
	return ""
}

// Callers returns all sessions that c acts as, one per mesh, by the meshes' names. It
// fails like Caller if there is none.
func (f *Feature) Callers(c op.Caller) ([]Local, error) {
	var out []Local
	for _, m := range f.cfg.Meshes.List() {
		l, err := f.Caller(c, m.ID.String())
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		_, err := f.pick("")
		return nil, err
	}
	return out, nil
}

// pick finds the mesh by slug, id or id prefix.
func (f *Feature) pick(slug string) (Mesh, error) {
	meshes := f.cfg.Meshes.List()
	if len(meshes) == 0 {
		return Mesh{}, op.Errorf(op.NotFound, "you are in no mesh").
			WithHint("run `claudemesh new <name>` to make one, or `claudemesh join <link>`")
	}
	slugs := make([]string, 0, len(meshes))
	var prefixed []Mesh
	for _, m := range meshes {
		if m.Slug == slug || m.ID.String() == slug {
			return m, nil
		}
		if len(slug) >= 8 && strings.HasPrefix(m.ID.String(), slug) {
			prefixed = append(prefixed, m)
		}
		slugs = append(slugs, m.Slug)
	}
	switch {
	case len(prefixed) == 1:
		return prefixed[0], nil
	case slug != "":
		return Mesh{}, op.Errorf(op.NotFound, "you are in no mesh named %q", slug).
			WithHint("your meshes: %s", strings.Join(slugs, ", "))
	case len(meshes) == 1:
		return meshes[0], nil
	default:
		return Mesh{}, op.Errorf(op.Ambiguous, "you are in %d meshes", len(meshes)).
			WithHint("name one (mesh_slug, or --mesh): %s", strings.Join(slugs, ", "))
	}
}

// local is l as seen in mesh m, where its member says own of itself. The caller holds
// f.mu.
func (f *Feature) local(l *live, m Mesh, own Profile) (Local, error) {
	att, err := f.attest(l, m)
	if err != nil {
		return Local{}, err
	}
	key, here := l.keys[m.ID], l.at(m.ID)
	return Local{
		Mesh: m.ID, Slug: m.Slug, Member: m.Self, Session: key.Public(), Key: key, Attest: att,
		Name: l.Names[m.ID.String()], ID: l.ID, Attached: l.follow > 0 && l.ID != UserSession,
		Status: here.Status.Value, Mode: f.mode(l, own), LastActive: l.active,
		StatusSource: string(here.Status.Source), StatusAt: here.Status.At,
		Groups: slices.Clone(here.Groups), Visible: !here.Hidden && l.ID != UserSession, Prompted: l.Prompted,
		Rights: l.Rights,
	}, nil
}

// Locals lists this node's open sessions in a mesh, the hidden one included.
func (f *Feature) Locals(mesh ident.MeshID) []Local {
	m, ok := f.mesh(mesh)
	if !ok {
		return nil
	}
	own := f.profile(m.ID, m.Self)
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Local
	for _, l := range f.sessions {
		if l.Closed {
			continue
		}
		if one, err := f.local(l, m, own); err == nil {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b Local) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (f *Feature) mesh(id ident.MeshID) (Mesh, bool) {
	for _, m := range f.cfg.Meshes.List() {
		if m.ID == id {
			return m, true
		}
	}
	return Mesh{}, false
}

// Resolve finds whom a target means, by the rules of [address.Find].
func (f *Feature) Resolve(mesh ident.MeshID, asking ident.PublicKey, target string) (address.Address, error) {
	m, ok := f.mesh(mesh)
	if !ok {
		return address.Address{}, ErrUnknownMesh
	}
	target = strings.TrimSpace(target)
	if rest, ok := strings.CutPrefix(target, m.Slug+":"); ok {
		target = rest
	}
	if strings.HasPrefix(target, "@") || strings.HasPrefix(target, "#") || target == "*" {
		return address.Address{}, op.Errorf(op.NotFound, "nobody is in %q", target).
			WithHint("name peers one by one, or as a list: %s", f.names(m, asking))
	}
	sessions, members := f.everybody(m)
	a, ok, err := address.Find(sessions, members, asking, target)
	if err == nil && !ok {
		err = op.Errorf(op.NotFound, "there is no peer %q in %s", target, m.Slug).
			WithHint("known: %s", f.names(m, asking))
	}
	return a, err
}

// everybody lists all addressable sessions and members of a mesh.
func (f *Feature) everybody(m Mesh) ([]address.Session, []address.Address) {
	var members []address.Address
	people := f.cfg.Meshes.Members(m.ID)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range people {
		members = append(members, address.Address{
			Key: p.Key, Member: p.Key, Name: p.Name,
			Online: f.state(m, p.Key) == roster.Online,
		})
	}
	var out []address.Session
	sessions := f.known(m)
	for _, p := range people {
		list := sessions[p.Key]
		old := superseded(list)
		for _, k := range list {
			here := k.state == roster.Online
			out = append(out, address.Session{
				Address: address.Address{Key: k.Key, IsSession: true, Member: k.member, Name: k.Name, Online: here},
				Cwd:     k.Cwd, Hidden: k.sight == roster.Unlisted || old[k.Key], Here: here,
			})
		}
	}
	return out, members
}

// names lists whom one can write to, for an error message.
func (f *Feature) names(m Mesh, asking ident.PublicKey) string {
	sessions, members := f.everybody(m)
	seen := make(map[string]bool)
	for _, s := range sessions {
		if !s.Hidden && s.Key != asking && s.Here {
			seen[s.Name] = true
		}
	}
	for _, p := range members {
		if p.Key != m.Self {
			seen[p.Name] = true
		}
	}
	if len(seen) == 0 {
		return "nobody else is in this mesh yet"
	}
	list := make([]string, 0, len(seen))
	for n := range seen {
		list = append(list, n)
	}
	slices.Sort(list)
	const most = 20
	if len(list) > most {
		list = append(list[:most], "…")
	}
	return strings.Join(list, ", ")
}

// stamp writes a time as clients see it, or nothing for no time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
