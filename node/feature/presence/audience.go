package presence

import (
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Audience lists the members that a target means which means many: "*", "@all" or
// "@group", the own member included, by key. Everybody are the members seen in the
// last 30 days. A group are the members with an open session in it or below it, and
// those without an open session whose profile names it. It fails with op.NotFound,
// listing the groups there are, when nobody is meant.
func (f *Feature) Audience(mesh ident.MeshID, target string) ([]ident.PublicKey, error) {
	m, ok := f.mesh(mesh)
	if !ok {
		return nil, ErrUnknownMesh
	}
	t, many, err := group.ParseTarget(strings.TrimPrefix(strings.TrimSpace(target), m.Slug+":"))
	if err != nil {
		return nil, err
	}
	if !many {
		return nil, op.Errorf(op.Invalid, "%q is no group", target).WithHint("groups begin with @, as in @reviewers; @all or * is everybody")
	}
	var out []ident.PublicKey
	for _, p := range f.people(m) {
		if t.All && p.recent || !t.All && p.in(t) {
			out = append(out, p.key)
		}
	}
	if len(out) == 0 {
		return nil, op.Errorf(op.NotFound, "nobody in %s is in %s", m.Slug, t).WithHint("%s", f.groupHint(m))
	}
	slices.SortFunc(out, ident.PublicKey.Compare)
	return out, nil
}

// Matching lists the sessions of this node that a target means which means many:
// open, visible, and in the group. member is true if none of the own member's
// sessions is open and the target means the member all the same: then the message is
// the member's, for whichever session comes next.
func (f *Feature) Matching(mesh ident.MeshID, target string) (open []Local, member bool) {
	m, ok := f.mesh(mesh)
	if !ok {
		return nil, false
	}
	t, many, err := group.ParseTarget(target)
	if err != nil || !many {
		return nil, false
	}
	any := false
	for _, l := range f.Locals(mesh) {
		if l.ID == UserSession {
			continue
		}
		any = true
		if l.Visible && t.Means(l.Groups) {
			open = append(open, l)
		}
	}
	return open, !any && (t.All || group.In(f.profile(m.ID, m.Self).Groups, t.Name))
}
