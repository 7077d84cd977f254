package presence

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Address is what a target resolves to: one session, or one member of whose
// sessions one takes the message.
type Address struct {
	Key       ident.PublicKey
	IsSession bool
	Member    ident.PublicKey
	Name      string
	Online    bool
}

// known is one addressable session, own or another member's.
type known struct {
	Address
	memberName string
	cwd        string
	hidden     bool
	state      State
}

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
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.sessions[id]
	if !ok {
		return Local{}, op.Errorf(op.NotFound, "there is no session %q", id)
	}
	return f.local(l, m)
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

// local is l as seen in mesh m. The caller holds f.mu.
func (f *Feature) local(l *live, m Mesh) (Local, error) {
	att, err := f.attest(l, m)
	if err != nil {
		return Local{}, err
	}
	key := l.keys[m.ID]
	return Local{
		Mesh: m.ID, Slug: m.Slug, Member: m.Self, Session: key.Public(), Key: key, Attest: att,
		Name: l.Names[m.ID.String()], ID: l.ID, Attached: l.follow > 0 && l.ID != UserSession,
		Status: l.Status, Mode: l.Mode, LastActive: l.active,
	}, nil
}

// Locals lists this node's open sessions in a mesh, the hidden one included.
func (f *Feature) Locals(mesh ident.MeshID) []Local {
	m, ok := f.mesh(mesh)
	if !ok {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Local
	for _, l := range f.sessions {
		if l.Closed {
			continue
		}
		if one, err := f.local(l, m); err == nil {
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

// Resolve finds whom a target means: a key or a prefix of one, a session's name, a
// member's name, or a part of a name that only one peer has. A name that a session
// is online under means that session; else the member of that name, so that mail
// for somebody away waits for whichever session comes next. The asking session is
// never found.
func (f *Feature) Resolve(mesh ident.MeshID, asking ident.PublicKey, target string) (Address, error) {
	m, ok := f.mesh(mesh)
	if !ok {
		return Address{}, ErrUnknownMesh
	}
	target = strings.TrimSpace(target)
	if rest, ok := strings.CutPrefix(target, m.Slug+":"); ok {
		target = rest
	}
	if strings.HasPrefix(target, "@") || strings.HasPrefix(target, "#") || target == "*" {
		return Address{}, op.Errorf(op.NotFound, "nobody is in %q", target).
			WithHint("name peers one by one, or as a list: %s", f.names(m, asking))
	}
	sessions, members := f.everybody(m)
	if a, ok, err := byKey(sessions, members, asking, target); ok || err != nil {
		return a, err
	}
	if a, ok, err := byName(sessions, members, asking, target); ok || err != nil {
		return a, err
	}
	return Address{}, op.Errorf(op.NotFound, "there is no peer %q in %s", target, m.Slug).
		WithHint("known: %s", f.names(m, asking))
}

// byKey finds a full key or an unambiguous prefix of 8 or more hex digits.
func byKey(sessions []known, members []Address, asking ident.PublicKey, target string) (Address, bool, error) {
	text := strings.ToLower(target)
	if len(text) < 8 || len(text) > 64 {
		return Address{}, false, nil
	}
	if _, err := hex.DecodeString(text[:len(text)&^1]); err != nil {
		return Address{}, false, nil
	}
	var found []known
	for _, s := range sessions {
		if strings.HasPrefix(s.Key.String(), text) {
			found = append(found, s)
		}
	}
	for _, m := range members {
		if strings.HasPrefix(m.Key.String(), text) {
			found = append(found, known{Address: m})
		}
	}
	return one(found, asking, target)
}

// byName follows the order of names: online session, member, known session, part.
func byName(sessions []known, members []Address, asking ident.PublicKey, target string) (Address, bool, error) {
	online := func(s known) bool { return s.state == Online && !s.hidden }
	listed := func(s known) bool { return !s.hidden }
	equal := func(name string) bool { return strings.EqualFold(name, target) }
	if a, ok, err := one(filter(sessions, online, equal, asking), asking, target); ok || err != nil {
		return a, ok, err
	}
	var named []known
	for _, m := range members {
		if equal(m.Name) {
			named = append(named, known{Address: m})
		}
	}
	if a, ok, err := one(named, asking, target); ok || err != nil {
		return a, ok, err
	}
	if a, ok, err := one(filter(sessions, listed, equal, asking), asking, target); ok || err != nil {
		return a, ok, err
	}
	return byPart(sessions, members, asking, target)
}

// byPart finds the only peer whose name holds the target.
func byPart(sessions []known, members []Address, asking ident.PublicKey, target string) (Address, bool, error) {
	part := func(name string) bool {
		return target != "" && strings.Contains(strings.ToLower(name), strings.ToLower(target))
	}
	found := filter(sessions, func(s known) bool { return s.state == Online && !s.hidden }, part, asking)
	for _, m := range members {
		covered := slices.ContainsFunc(found, func(s known) bool { return s.Member == m.Key })
		if part(m.Name) && !covered {
			found = append(found, known{Address: m})
		}
	}
	return one(found, asking, target)
}

// filter picks the sessions other than the asking one.
func filter(all []known, keep func(known) bool, name func(string) bool, asking ident.PublicKey) []known {
	var out []known
	for _, s := range all {
		if s.Key != asking && keep(s) && name(s.Name) {
			out = append(out, s)
		}
	}
	return out
}

// one takes the only candidate. Several are an error that lists them.
func one(found []known, asking ident.PublicKey, target string) (Address, bool, error) {
	switch {
	case len(found) == 0:
		return Address{}, false, nil
	case len(found) > 1:
		lines := make([]string, 0, len(found))
		for _, c := range found {
			line := c.Name + " " + c.Key.String()[:16]
			if c.cwd != "" {
				line += " " + c.cwd
			}
			lines = append(lines, line)
		}
		slices.Sort(lines)
		return Address{}, false, op.Errorf(op.Ambiguous, "%q could be any of %d peers", target, len(found)).
			WithHint("use a key: %s", strings.Join(lines, "; "))
	case found[0].Key == asking:
		return Address{}, false, op.Errorf(op.Invalid, "%q is this very session", target).
			WithHint("name another session or member; list_peers shows them")
	default:
		return found[0].Address, true, nil
	}
}

// everybody lists all addressable sessions and members of a mesh.
func (f *Feature) everybody(m Mesh) ([]known, []Address) {
	names := make(map[ident.PublicKey]string)
	var members []Address
	people := f.cfg.Meshes.Members(m.ID)
	f.mu.Lock()
	defer f.mu.Unlock()
	mono := f.cfg.Mono()
	r := f.roster(m.ID)
	for _, p := range people {
		names[p.Key] = p.Name
		h := r.homes[p.Key]
		members = append(members, Address{
			Key: p.Key, Member: p.Key, Name: p.Name,
			Online: p.Key == m.Self || h != nil && h.state(mono) == Online,
		})
	}
	var out []known
	for _, l := range f.sessions {
		if key, ok := l.keys[m.ID]; ok && !l.Closed {
			out = append(out, known{
				Address:    Address{Key: key.Public(), IsSession: true, Member: m.Self, Name: l.Names[m.ID.String()], Online: true},
				memberName: m.Name, cwd: l.Cwd, hidden: l.ID == UserSession, state: Online,
			})
		}
	}
	for member, h := range r.homes {
		for _, c := range h.beacon.cards {
			s := h.state(mono)
			out = append(out, known{
				Address:    Address{Key: c.key, IsSession: true, Member: member, Name: c.name, Online: s == Online},
				memberName: names[member], cwd: c.cwd, hidden: c.hidden, state: s,
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
		if !s.hidden && s.Key != asking && s.state == Online {
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
