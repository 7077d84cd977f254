package mesh

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// Rename changes what a mesh is called.
var Rename = op.Spec[RenameRequest, RenameResponse]{
	ID: "mesh.rename",
	Doc: "Give a mesh another name: for everybody, as its owner or an admin, or on this machine alone.\n" +
		"Every machine takes the name over as it hears of it, with a number behind it where another mesh has that name, unless it has a name of its own for the mesh.",
	Names: op.Names{CLI: "rename <mesh> <name>"},
	Needs: op.Manage,
}

// RenameRequest names a mesh and its new name.
type RenameRequest struct {
	Mesh string `json:"mesh" jsonschema:"the mesh, by its name or an unambiguous prefix of its id"`
	Name string `json:"name" jsonschema:"its new name, 2 to 32 characters of a-z, 0-9 and -"`
	Here bool   `json:"here,omitempty" jsonschema:"on this machine alone, whoever you are in the mesh"`
}

// RenameResponse says what the mesh is called now.
type RenameResponse struct {
	ID   string `json:"mesh_id"`
	Slug string `json:"slug" jsonschema:"the mesh's name on this machine"`
	Was  string `json:"was" jsonschema:"its name on this machine before"`
	Name string `json:"name" jsonschema:"its name for everybody"`
	Here bool   `json:"here,omitempty" jsonschema:"the others call it as before"`
	// Told is the number of members' nodes that have heard of it already.
	Told int `json:"told"`
}

// Text says what the mesh is called now, and to whom.
func (r RenameResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r RenameResponse) Lines() []op.Phrase {
	if r.Here {
		return []op.Phrase{op.Phrasef("Mesh %s is called %s on this machine; for the others it is %s.", r.Was, r.Slug, r.Name)}
	}
	return []op.Phrase{op.Phrasef("Mesh %s is called %s now, for everybody. Nodes told: %d.", r.Was, r.Slug, r.Told)}
}

// settingName is the key in the admin log under which a mesh's later name stands.
const settingName = "name"

// Name is what the mesh is called for everybody: the last name given to it, else that
// of its genesis.
func (m *Mesh) Name() string {
	state := m.admin.State()
	if name := state.Settings[settingName]; slugForm.MatchString(name) {
		return name
	}
	return state.Name
}

func (a *Meshes) answerRename(ctx context.Context, _ op.Caller, in RenameRequest) (RenameResponse, error) {
	if err := checkSlug(in.Name); err != nil {
		return RenameResponse{}, err
	}
	a.entering.Lock()
	defer a.entering.Unlock()
	m, err := a.find(in.Mesh)
	if err != nil {
		return RenameResponse{}, err
	}
	if slices.ContainsFunc(a.All(), func(o *Mesh) bool { return o != m && o.Slug() == in.Name }) {
		return RenameResponse{}, op.Errorf(op.Conflict, "another mesh on this machine is named %s", in.Name).WithHint("choose another name")
	}
	out := RenameResponse{ID: m.id.String(), Was: m.Slug(), Here: in.Here}
	if !in.Here {
		if err := m.outcast(); err != nil {
			return RenameResponse{}, err
		}
		if out.Told, err = a.renameForAll(ctx, m, in.Name); err != nil {
			return RenameResponse{}, err
		}
	}
	rec := m.kept()
	rec.Slug, rec.Called = in.Name, m.Name()
	rec.Own = in.Name != rec.Called
	if err := m.call(ctx, rec); err != nil {
		return RenameResponse{}, err
	}
	out.Slug, out.Name = in.Name, rec.Called
	return out, nil
}

// renameForAll writes the name into the admin log and returns how many nodes heard.
func (a *Meshes) renameForAll(ctx context.Context, m *Mesh, name string) (int, error) {
	if err := m.SetSetting(ctx, settingName, name); err != nil {
		if op.CodeOf(err) == op.Denied {
			return 0, op.Errorf(op.Denied, "only the owner and admins rename %s for everybody", m.Slug()).
				WithHint("`claudemesh rename %s %s --here` gives it a name on this machine alone", m.Slug(), name)
		}
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, tellFor)
	defer cancel()
	return a.cfg.Net.Tell(ctx, m.id), nil
}

// rename has this node's names follow those of the meshes, whenever a log has grown.
func (a *Meshes) rename(ctx context.Context) {
	a.loop(ctx, a.naming, func(ctx context.Context) time.Duration {
		if err := a.follow(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Log.Warn("a mesh's new name was not taken over", "error", err)
			return tryAgain
		}
		return lookAgain
	})
}

// follow takes over the names that meshes were given, but for those that have one of
// their own on this machine.
func (a *Meshes) follow(ctx context.Context) error {
	a.entering.Lock()
	defer a.entering.Unlock()
	for _, m := range a.All() {
		rec, name := m.kept(), m.Name()
		if rec.Own || rec.Called == name || rec.Called == "" && name == m.admin.State().Name {
			continue
		}
		rec.Called = name
		rec.Slug = a.freeSlug(name, m)
		if err := m.call(ctx, rec); err != nil {
			return err
		}
		m.log().Info("mesh renamed", "mesh", m.id, "slug", rec.Slug)
	}
	return nil
}

// kept is what this node calls the mesh.
func (m *Mesh) kept() record {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.record
}

// call keeps what this node calls the mesh from now on. The caller holds entering.
func (m *Mesh) call(ctx context.Context, rec record) error {
	err := m.all.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return store.PutJSON(at(tx, m.id), keyInfo, rec)
	})
	if err != nil {
		return diskError(fmt.Errorf("keep the mesh's name: %w", err))
	}
	m.mu.Lock()
	m.record = rec
	m.mu.Unlock()
	m.all.cfg.Net.Changed(m.id, nil)
	return nil
}
