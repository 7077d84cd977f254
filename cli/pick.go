package cli

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store/file"
)

// lastUsed is the content of last-used.json.
type lastUsed struct {
	Mesh string `json:"meshSlug"`
	At   string `json:"timestamp"`
}

const lastUsedFile = "last-used.json"

// oneMesh decides which mesh a command concerns that can only concern one: the one
// of --mesh, the only one there is, the one used last, the one a person picks.
// Empty means the only one, or none: the operation then says what there is to say.
func (a *app) oneMesh(ctx context.Context) (string, error) {
	if a.mesh != "" {
		return a.mesh, nil
	}
	slugs, err := a.everyMesh(ctx)
	if err != nil || len(slugs) < 2 {
		return "", err
	}
	last := a.lastMesh()
	for _, s := range slugs {
		if s == last {
			a.term.Note("→ mesh %s, used last; --mesh chooses another", s)
			return s, nil
		}
	}
	i, err := a.term.Choose("Which mesh?", slugs)
	if err != nil {
		return "", op.Errorf(op.Invalid, "you are in several meshes").
			WithHint("add --mesh with one of: %s", strings.Join(slugs, ", "))
	}
	a.used(slugs[i])
	return slugs[i], nil
}

// everyMesh is what a command covers that can concern all meshes: the one of
// --mesh, else all there are. With fewer than two it is one empty name, as with
// oneMesh.
func (a *app) everyMesh(ctx context.Context) ([]string, error) {
	if a.mesh != "" {
		return []string{a.mesh}, nil
	}
	out, err := call(ctx, a, mesh.List, mesh.ListRequest{})
	if err != nil {
		return nil, err
	}
	if len(out.Meshes) < 2 {
		return []string{""}, nil
	}
	slugs := make([]string, 0, len(out.Meshes))
	for _, m := range out.Meshes {
		slugs = append(slugs, m.Slug)
	}
	return slugs, nil
}

// lastMesh is the mesh that was named last, or "".
func (a *app) lastMesh() string {
	text, err := file.Read(filepath.Join(a.folder, lastUsedFile))
	if err != nil {
		return ""
	}
	var l lastUsed
	if json.Unmarshal(text, &l) != nil {
		return ""
	}
	return l.Mesh
}

// used remembers a mesh that was named, made or joined. It is a convenience: a
// folder that cannot be written to shows elsewhere.
func (a *app) used(slug string) {
	if slug == "" || slug == a.lastMesh() {
		return
	}
	text, err := json.Marshal(lastUsed{slug, time.Now().UTC().Format(time.RFC3339)})
	if err == nil {
		_ = file.Write(filepath.Join(a.folder, lastUsedFile), append(text, '\n'))
	}
}
