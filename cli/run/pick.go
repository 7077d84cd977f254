package run

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

// LastUsed is the content of last-used.json: the mesh that was named last, and what was
// chosen at the last launch.
type LastUsed struct {
	Mesh   string  `json:"meshSlug"`
	Name   *string `json:"displayName,omitempty"`
	Role   *string `json:"role,omitempty"`
	Groups *string `json:"groups,omitempty"`
	Mode   *string `json:"messageMode,omitempty"`
	At     string  `json:"timestamp"`
}

const lastUsedFile = "last-used.json"

// OneMesh decides which mesh a command concerns that can only concern one: the one
// of --mesh, the only one there is, the one used last, the one a person picks.
// Empty means the only one, or none: the operation then says what there is to say.
func (a *App) OneMesh(ctx context.Context) (string, error) {
	if a.Mesh != "" {
		return a.Mesh, nil
	}
	slugs, err := a.EveryMesh(ctx)
	if err != nil || len(slugs) < 2 {
		return "", err
	}
	if own := a.Launched().Mesh; slices.Contains(slugs, own) {
		return own, nil
	}
	last := a.LastMesh()
	for _, s := range slugs {
		if s == last {
			a.Term.Note("→ mesh %s, used last; --mesh chooses another", s)
			return s, nil
		}
	}
	i, err := a.Term.Choose(ctx, "Which mesh?", slugs)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", op.Errorf(op.Invalid, "you are in several meshes").
			WithHint("add --mesh with one of: %s", strings.Join(slugs, ", "))
	}
	a.Used(slugs[i])
	return slugs[i], nil
}

// EveryMesh is what a command covers that can concern all meshes: the one of
// --mesh, else all there are. With fewer than two it is one empty name, as with
// OneMesh.
func (a *App) EveryMesh(ctx context.Context) ([]string, error) {
	if a.Mesh != "" {
		return []string{a.Mesh}, nil
	}
	out, err := Call(ctx, a, mesh.List, mesh.ListRequest{})
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

// LastMesh is the mesh that was named last, or "".
func (a *App) LastMesh() string { return a.LastUsed().Mesh }

// LastUsed is what was used last.
func (a *App) LastUsed() LastUsed {
	text, err := file.Read(filepath.Join(a.Folder, lastUsedFile))
	var l LastUsed
	if err != nil || json.Unmarshal(text, &l) != nil {
		return LastUsed{}
	}
	return l
}

// Used remembers a mesh that was named, made or joined.
func (a *App) Used(slug string) {
	l := a.LastUsed()
	if slug == "" || slug == l.Mesh {
		return
	}
	l.Mesh = slug
	a.Remember(l)
}

// Remember keeps what was used last. It is a convenience: a folder that cannot be
// written to shows elsewhere.
func (a *App) Remember(l LastUsed) {
	l.At = time.Now().UTC().Format(time.RFC3339)
	if text, err := json.Marshal(l); err == nil {
		_ = file.Write(filepath.Join(a.Folder, lastUsedFile), append(text, '\n'))
	}
}

// InMesh decides on the one mesh that a request concerns.
func (a *App) InMesh(ctx context.Context) (op.InMesh, error) {
	slug, err := a.OneMesh(ctx)
	return op.InMesh{Mesh: slug}, err
}

// Outcast is why there is no mesh to tell about, where this machine is in some and may act
// in none: its member was removed, or has its home elsewhere. Else it is nil.
func (a *App) Outcast(ctx context.Context) error {
	all, err := Call(ctx, a, mesh.List, mesh.ListRequest{})
	if err != nil || len(all.Meshes) == 0 || slices.ContainsFunc(all.Meshes, func(m mesh.Info) bool { return m.Trouble().String() == "" }) {
		return err
	}
	// Whoever asks for the mesh itself is told why, and what to do.
	_, err = Call(ctx, a, presence.Peers, presence.PeersRequest{InMesh: op.InMesh{Mesh: all.Meshes[0].Slug}})
	return err
}

// Launched is what the session was launched as that this process belongs to; nothing, if
// it was not.
func (a *App) Launched() agent.Launched {
	l, _ := agent.LaunchedIn(a.Env.Getenv)
	return l
}
