package cli

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store/file"
)

// lastUsed is the content of last-used.json: the mesh that was named last, and what was
// chosen at the last launch.
type lastUsed struct {
	Mesh   string  `json:"meshSlug"`
	Name   *string `json:"displayName,omitempty"`
	Role   *string `json:"role,omitempty"`
	Groups *string `json:"groups,omitempty"`
	Mode   *string `json:"messageMode,omitempty"`
	At     string  `json:"timestamp"`
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
	if own := a.launched().Mesh; slices.Contains(slugs, own) {
		return own, nil
	}
	last := a.lastMesh()
	for _, s := range slugs {
		if s == last {
			a.term.Note("→ mesh %s, used last; --mesh chooses another", s)
			return s, nil
		}
	}
	i, err := a.term.Choose(ctx, "Which mesh?", slugs)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
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
func (a *app) lastMesh() string { return a.lastUsed().Mesh }

// lastUsed is what was used last.
func (a *app) lastUsed() lastUsed {
	text, err := file.Read(filepath.Join(a.folder, lastUsedFile))
	var l lastUsed
	if err != nil || json.Unmarshal(text, &l) != nil {
		return lastUsed{}
	}
	return l
}

// used remembers a mesh that was named, made or joined.
func (a *app) used(slug string) {
	l := a.lastUsed()
	if slug == "" || slug == l.Mesh {
		return
	}
	l.Mesh = slug
	a.remember(l)
}

// remember keeps what was used last. It is a convenience: a folder that cannot be
// written to shows elsewhere.
func (a *app) remember(l lastUsed) {
	l.At = time.Now().UTC().Format(time.RFC3339)
	if text, err := json.Marshal(l); err == nil {
		_ = file.Write(filepath.Join(a.folder, lastUsedFile), append(text, '\n'))
	}
}

// inMesh decides on the one mesh that a request concerns.
func (a *app) inMesh(ctx context.Context) (op.InMesh, error) {
	slug, err := a.oneMesh(ctx)
	return op.InMesh{Mesh: slug}, err
}

// outcast is why there is no mesh to tell about, where this machine is in some and may act
// in none: its member was removed, or has its home elsewhere. Else it is nil.
func (a *app) outcast(ctx context.Context) error {
	all, err := call(ctx, a, mesh.List, mesh.ListRequest{})
	if err != nil || len(all.Meshes) == 0 || slices.ContainsFunc(all.Meshes, func(m mesh.Info) bool { return m.Trouble() == "" }) {
		return err
	}
	// Whoever asks for the mesh itself is told why, and what to do.
	_, err = call(ctx, a, presence.Peers, presence.PeersRequest{InMesh: op.InMesh{Mesh: all.Meshes[0].Slug}})
	return err
}

// launched is what the session was launched as that this process belongs to; nothing, if
// it was not.
func (a *app) launched() agent.Launched {
	l, _ := agent.LaunchedIn(a.env.Getenv)
	return l
}
