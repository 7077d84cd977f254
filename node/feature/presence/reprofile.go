package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Reprofile has this node's sessions follow when what their own member says of itself
// in a mesh has changed: their names, and what decides about offering messages. Each
// that listens is told what it is now.
func (f *Feature) Reprofile(ctx context.Context, mesh ident.MeshID) error {
	if err := f.Refresh(ctx); err != nil {
		return err
	}
	for _, s := range f.Locals(mesh) {
		f.cfg.Gate(mesh, s.Session)
		if s.ID == UserSession {
			continue
		}
		is := op.Self{Name: s.Name, Role: f.roleOf(s.ID), Mode: s.Mode}
		for _, g := range s.Groups {
			is.Groups = append(is.Groups, strings.TrimPrefix(g.String(), "@"))
		}
		data, err := json.Marshal(is)
		if err != nil {
			return fmt.Errorf("encode what a session is: %w", err)
		}
		f.hub.Tell(op.Event{Topic: op.TopicSelf, Mesh: mesh.String(), Slug: s.Slug, Data: data},
			func(session string) bool { return session == s.ID })
	}
	return nil
}

// roleOf is what a session of this node says it is for.
func (f *Feature) roleOf(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l, ok := f.sessions[id]; ok {
		return l.Role
	}
	return ""
}
