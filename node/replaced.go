package node

import (
	"bytes"
	"path/filepath"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/backup"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/store"
)

// Replaced is a member key on this machine that is not in the backup which is restored:
// afterwards this machine cannot act for that member any more.
type Replaced struct {
	Mesh string `json:"mesh_id"`
	// Slug is the mesh's name here; empty where it is not known: a node has the store open,
	// or it is broken.
	Slug string `json:"slug"`
	// Member is the public key of the member, hex; empty if the key file is damaged.
	Member string `json:"member_key"`
	// Other: the backup holds the mesh with another key.
	Other bool `json:"other_key,omitempty"`
}

// Replaced lists what Apply will put aside and nothing takes the place of, in the order of
// mesh ids.
func (s *Staged) Replaced() ([]Replaced, error) {
	if s.r.Content.Version == 0 {
		return nil, nil // the settings of an earlier program
	}
	seeds, err := mesh.Seeds(s.r.Dir)
	if err != nil {
		return nil, err
	}
	var out []Replaced
	for _, one := range seeds {
		i := slices.IndexFunc(s.r.Content.Meshes, func(m backup.Mesh) bool { return m.ID == one.Mesh })
		if i >= 0 && bytes.Equal(s.r.Content.Meshes[i].Seed, one.Seed[:]) {
			continue
		}
		lost := Replaced{Mesh: one.Mesh, Other: i >= 0}
		if one.Err == nil {
			lost.Member = one.Seed.Member().Public().String()
		}
		out = append(out, lost)
	}
	if len(out) > 0 {
		s.name(out)
	}
	return out, nil
}

// name fills in the names of meshes, where they can be found out without a node.
func (s *Staged) name(all []Replaced) {
	path := filepath.Join(s.r.Dir, storeName)
	if !there(path) {
		return
	}
	db, err := store.Open(store.Config{Path: path, Schema: schema, Log: s.r.Log})
	if err != nil {
		return
	}
	defer db.Close()
	meshes, err := mesh.Open(mesh.Config{Dir: s.r.Dir, DB: db, Peer: peer.ID(""), Log: s.r.Log})
	if err != nil {
		return
	}
	for _, m := range meshes.All() {
		for i := range all {
			if all[i].Mesh == m.ID().String() {
				all[i].Slug = m.Slug()
			}
		}
	}
}
