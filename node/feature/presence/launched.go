package presence

import (
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
)

// wish is where a session wants to be that was started for one mesh.
type wish struct {
	only   string // the mesh's id; empty: in all
	groups []group.Group
}

// wishes reads what an agent asks for. A mesh that is not there is a failure: the
// session would show in others instead.
func (f *Feature) wishes(in OpenRequest) (wish, error) {
	var w wish
	if in.Mesh != "" {
		m, err := f.pick(in.Mesh)
		if err != nil {
			return w, err
		}
		w.only = m.ID.String()
	}
	for _, text := range in.Groups {
		name, role, _ := strings.Cut(text, ":")
		name, err := group.Clean(name)
		if err == nil {
			err = group.CheckRole(role)
		}
		if err == nil {
			w.groups, err = group.Join(w.groups, group.Group{Name: name, Role: role})
		}
		if err != nil {
			return w, err
		}
	}
	return w, nil
}

// settle puts a session where it wants to be. It hides in the other meshes once, so
// that it can be shown there later; one that is taken up without a mesh is shown in all
// that it hid in for this. The caller holds f.mu.
func (f *Feature) settle(l *live, w wish) error {
	moved := l.Only != w.only
	if l.Only = w.only; !moved && len(w.groups) == 0 {
		return nil
	}
	for _, m := range f.cfg.Meshes.List() {
		id := m.ID.String()
		p := l.place(id)
		if moved {
			p.Hidden, p.Hid = w.only != "" && w.only != id, f.cfg.Now()
		}
		if w.only == "" || w.only == id {
			for _, g := range w.groups {
				list, err := group.Join(p.Groups, g)
				if err != nil {
					return err
				}
				p.Groups = list
			}
		}
		l.Places[id] = p
	}
	return nil
}

// elsewhere tells whether a session that never was in a mesh hides there.
func (l *live) elsewhere(mesh string) bool { return l.Only != "" && l.Only != mesh }
