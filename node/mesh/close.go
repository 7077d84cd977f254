package mesh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Close ends a mesh for everybody in it.
var Close = op.Spec[CloseRequest, CloseResponse]{
	ID: "mesh.close",
	Doc: "As the owner of a mesh, remove everybody else and then forget it on this machine.\n" +
		"Nobody but this node can tell the others, so it keeps the mesh until all their nodes have heard. What they had stays readable to them.",
	Names:    op.Names{CLI: "delete <mesh> --everywhere <mesh>"},
	Needs:    op.Manage,
	Destroys: true,
}

// closeWait is how long closing waits for the nodes that are connected to hear of it.
const closeWait = 5 * time.Second

// bucketClosing has, by member key, the names of those removed by closing a mesh whose
// nodes have not heard of it.
const bucketClosing = "closing"

// CloseRequest names the mesh to close.
type CloseRequest struct {
	Mesh string `json:"mesh" jsonschema:"the mesh, by its name or an unambiguous prefix of its id"`
}

// CloseResponse says who was removed, and who has yet to hear of it.
type CloseResponse struct {
	Slug    string   `json:"slug"`
	Removed []Person `json:"removed"`
	// Waiting are removed people whose nodes have not heard of it.
	Waiting []Person `json:"waiting"`
	// Forgotten tells that the mesh and its keys are gone from this machine.
	Forgotten bool `json:"forgotten"`
}

// Text says what has happened and what has yet to happen.
func (r CloseResponse) Text() string {
	text := fmt.Sprintf("Removed %d from %s.", len(r.Removed), r.Slug)
	if r.Forgotten {
		return text + " It is closed, and its keys are gone from this machine."
	}
	names := make([]string, 0, len(r.Waiting))
	for _, p := range r.Waiting {
		names = append(names, p.Name)
	}
	return text + fmt.Sprintf(" These have not heard of it, so this machine keeps %s to tell them when they appear: %s.",
		r.Slug, strings.Join(names, ", "))
}

// answerClose notes on disk who has to hear of it, removes them, and forgets the mesh
// once they have. Asked again it goes on from there.
func (a *Meshes) answerClose(ctx context.Context, _ op.Caller, in CloseRequest) (CloseResponse, error) {
	a.entering.Lock()
	defer a.entering.Unlock()
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return CloseResponse{}, err
	}
	state := m.admin.State()
	if state.Role(m.self) != trust.RoleOwner {
		return CloseResponse{}, op.Errorf(op.Denied, "only its owner ends %s for everybody", m.Slug()).
			WithHint("`claudemesh leave %s` takes you out", m.Slug())
	}
	out := CloseResponse{Slug: m.Slug(), Removed: []Person{}, Waiting: []Person{}}
	var keys []ident.PublicKey
	for key, one := range state.Members {
		if key != m.self {
			keys = append(keys, key)
			out.Removed = append(out.Removed, Person{Name: one.Name, Key: key.String()})
		}
	}
	slices.SortFunc(out.Removed, func(x, y Person) int { return strings.Compare(x.Name, y.Name) })
	if err := m.removeAll(ctx, keys, out.Removed); err != nil {
		return CloseResponse{}, err
	}
	if out.Waiting, err = m.awaitHeard(ctx); err != nil || len(out.Waiting) > 0 {
		return out, err
	}
	out.Forgotten = true
	return out, a.drop(ctx, m)
}

// removeAll removes the members with these keys and cuts them off.
func (m *Mesh) removeAll(ctx context.Context, keys []ident.PublicKey, people []Person) error {
	if len(keys) == 0 {
		return nil
	}
	err := m.all.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b := at(tx, m.id, bucketClosing)
		for _, p := range people {
			if err := b.Put([]byte(p.Key), []byte(p.Name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return diskError(fmt.Errorf("note who is to hear of it: %w", err))
	}
	for batch := range slices.Chunk(keys, trust.MaxTargets) {
		added, err := m.ban(ctx, batch, BanRequest{}, &BanResponse{})
		if err != nil {
			return err
		}
		// Their connections stay, and on them they hear at once.
		m.all.changed(m, added)
	}
	return nil
}

// awaitHeard waits a while for removed people to hear that they are, and returns who
// has not.
func (m *Mesh) awaitHeard(ctx context.Context) ([]Person, error) {
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	for {
		m.mu.Lock()
		heard := m.heard
		m.mu.Unlock()
		waiting := []Person{}
		err := m.all.cfg.DB.View(func(tx *store.Tx) error {
			at(tx, m.id, bucketClosing).Ascend(nil, func(key, name []byte) bool {
				waiting = append(waiting, Person{Name: string(name), Key: string(key)})
				return true
			})
			return nil
		})
		if err != nil || len(waiting) == 0 {
			return waiting, err
		}
		select {
		case <-ctx.Done():
			return waiting, nil
		case <-heard:
		}
	}
}

// hasHeard notes that a node has been told all there is to tell to it, which matters
// while the mesh is being closed.
func (m *Mesh) hasHeard(ctx context.Context, who ident.PublicKey) error {
	if _, gone := m.admin.State().Gone[trust.Principal(who)]; !gone {
		return nil
	}
	key, waited := []byte(who.String()), false
	err := m.all.cfg.DB.View(func(tx *store.Tx) error {
		waited = at(tx, m.id, bucketClosing).Get(key) != nil
		return nil
	})
	if err != nil || !waited {
		return err
	}
	err = m.all.cfg.DB.Update(ctx, func(tx *store.Tx) error { return at(tx, m.id, bucketClosing).Delete(key) })
	if err != nil {
		return diskError(fmt.Errorf("note who has heard of it: %w", err))
	}
	m.mu.Lock()
	close(m.heard)
	m.heard = make(chan struct{})
	m.mu.Unlock()
	return nil
}
