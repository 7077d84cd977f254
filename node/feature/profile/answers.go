package profile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func (f *Feature) answerGet(_ context.Context, c op.Caller, in GetRequest) (GetResponse, error) {
	self, err := f.cfg.Meshes.Caller(c, in.Mesh)
	if err != nil {
		return GetResponse{}, err
	}
	m, err := f.pick(self, in.Member)
	if err != nil {
		return GetResponse{}, err
	}
	return GetResponse{Slug: self.Slug, Shown: f.shown(self, m)}, nil
}

func (f *Feature) answerSet(ctx context.Context, c op.Caller, in SetRequest) (SetResponse, error) {
	self, err := f.cfg.Meshes.Caller(c, in.Mesh)
	if err != nil {
		return SetResponse{}, err
	}
	m, err := f.pick(self, "")
	if err != nil {
		return SetResponse{}, err
	}
	f.editing.Lock()
	defer f.editing.Unlock()
	p := f.Profile(self.Mesh, self.Member)
	e := edit{set: []string{}, cleared: []string{}}
	e.text("avatar", &p.Avatar, in.Avatar)
	e.text("title", &p.Title, in.Title)
	e.text("bio", &p.Bio, in.Bio)
	if in.Capabilities != nil {
		p.Capabilities = slices.Clone(*in.Capabilities)
		e.note("capabilities", len(p.Capabilities) == 0)
	}
	if e.any() {
		if err := p.check(); err != nil {
			return SetResponse{}, err
		}
		if err := f.write(ctx, self.Mesh, self.Member, p, about); err != nil {
			return SetResponse{}, err
		}
	}
	return SetResponse{Slug: self.Slug, Set: e.set, Cleared: e.cleared, Profile: f.shown(self, m)}, nil
}

func (f *Feature) answerEdit(ctx context.Context, c op.Caller, in EditRequest) (EditResponse, error) {
	self, err := f.cfg.Meshes.Caller(c, in.Mesh)
	if err != nil {
		return EditResponse{}, err
	}
	m, err := f.pick(self, in.Member)
	if err != nil {
		return EditResponse{}, err
	}
	if m.Key != self.Member && !f.cfg.Meshes.Admin(self.Mesh, self.Member) {
		return EditResponse{}, op.Errorf(op.Denied, "only the owner and admins of %s change the profile of %s", self.Slug, m.Name).
			WithHint("ask an admin of the mesh; `claudemesh info` lists them")
	}
	f.editing.Lock()
	defer f.editing.Unlock()
	p := f.Profile(self.Mesh, m.Key)
	e := edit{set: []string{}, cleared: []string{}}
	var fields []field
	for _, one := range []struct {
		what string
		in   field
		to   *string
		from *string
	}{{"name", fName, &p.Name, in.Name}, {"role tag", fRoleTag, &p.RoleTag, in.RoleTag}, {"message mode", fMode, &p.Mode, in.Mode}} {
		if e.text(one.what, one.to, one.from) {
			fields = append(fields, one.in)
		}
	}
	if in.Groups != nil {
		p.Groups = nil
		for _, g := range *in.Groups {
			p.Groups = append(p.Groups, Group{Name: strings.TrimPrefix(g.Name, "@"), Role: g.Role})
		}
		e.note("groups", len(p.Groups) == 0)
		fields = append(fields, fGroups)
	}
	if err := p.check(); err != nil {
		return EditResponse{}, err
	}
	if in.Name != nil {
		if err := f.free(self, m, p.Name); err != nil {
			return EditResponse{}, err
		}
	}
	if err := f.write(ctx, self.Mesh, m.Key, p, fields...); err != nil {
		return EditResponse{}, err
	}
	return EditResponse{Slug: self.Slug, Set: e.set, Cleared: e.cleared, Profile: f.shown(self, m)}, nil
}

// edit notes what a request changes in a profile.
type edit struct{ set, cleared []string }

// text changes a text if the request has one.
func (e *edit) text(what string, to, from *string) bool {
	if from == nil {
		return false
	}
	*to = *from
	e.note(what, *from == "")
	return true
}

func (e *edit) note(what string, cleared bool) {
	if cleared {
		e.cleared = append(e.cleared, what)
	} else {
		e.set = append(e.set, what)
	}
}

func (e *edit) any() bool { return len(e.set)+len(e.cleared) > 0 }

// write commits fields of a profile, one record each.
func (f *Feature) write(ctx context.Context, mesh ident.MeshID, member ident.PublicKey, p Profile, fields ...field) error {
	for _, what := range fields {
		if _, err := f.cfg.Book.Put(ctx, mesh, kind, keyOf(member, what), p.encode(what)); err != nil {
			return fmt.Errorf("write %s: %w", what, err)
		}
	}
	return nil
}

// free refuses a name that is another member's, or that another wishes for.
func (f *Feature) free(self Self, m Member, name string) error {
	if name == "" {
		return nil
	}
	names := f.Names(self.Mesh)
	for _, other := range f.cfg.Meshes.Members(self.Mesh) {
		if other.Key == m.Key {
			continue
		}
		for _, taken := range []string{other.Name, names[other.Key], f.Profile(self.Mesh, other.Key).Name} {
			if op.SameName(taken, name) {
				return op.Errorf(op.Conflict, "%s is the name of another member of %s (%s)", taken, self.Slug, other.Key.String()[:16]).
					WithHint("choose another name")
			}
		}
	}
	return nil
}

// pick finds a member by name, key or a prefix of the key of 8 or more digits;
// nothing means the own one.
func (f *Feature) pick(self Self, want string) (Member, error) {
	members := f.cfg.Meshes.Members(self.Mesh)
	names := f.Names(self.Mesh)
	var found []Member
	all := make([]string, 0, len(members))
	for _, m := range members {
		all = append(all, names[m.Key])
		byKey := len(want) >= 8 && strings.HasPrefix(m.Key.String(), strings.ToLower(want))
		byName := want != "" && (strings.EqualFold(m.Name, want) || strings.EqualFold(names[m.Key], want))
		if byKey || byName || want == "" && m.Key == self.Member {
			found = append(found, m)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && want == "":
		return Member{}, op.Errorf(op.Denied, "you are no member of %s any more", self.Slug).WithHint("ask for a new invite")
	case len(found) == 0:
		return Member{}, op.Errorf(op.NotFound, "there is no member %q in %s", want, self.Slug).
			WithHint("the members: %s", strings.Join(all[:min(len(all), 20)], ", "))
	}
	candidates := make([]string, 0, len(found))
	for _, m := range found {
		candidates = append(candidates, names[m.Key]+" "+m.Key.String()[:16])
	}
	return Member{}, op.Errorf(op.Ambiguous, "%q can mean several members of %s: %s", want, self.Slug, strings.Join(candidates, ", ")).
		WithHint("name the member by its key")
}

// shown is a profile as clients see it.
func (f *Feature) shown(self Self, m Member) Shown {
	p := f.Profile(self.Mesh, m.Key)
	if f.cfg.Reads != nil && m.Key != self.Member && !f.cfg.Reads(self.Mesh, m.Key) {
		p = Profile{Groups: p.Groups, Mode: p.Mode, Seen: p.Seen}
	}
	s := Shown{
		Name: f.Names(self.Mesh)[m.Key], Member: m.Key.String(), Access: m.Role, RoleTag: p.RoleTag, Mode: p.Mode,
		Avatar: p.Avatar, Title: p.Title, Bio: p.Bio, Own: m.Key == self.Member,
		Groups: append([]Group{}, p.Groups...), Capabilities: append([]string{}, p.Capabilities...),
	}
	if s.Name != m.Name {
		s.Admitted = m.Name
	}
	if !p.Seen.IsZero() {
		s.Seen = p.Seen.Format(time.DateOnly)
	}
	return s
}
