package mesh

import (
	"context"
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Admin is the admin log. Who adds to it must do so through the mesh.
func (m *Mesh) Admin() *trust.Log { return m.admin }

// Ring holds the epoch keys this node knows.
func (m *Mesh) Ring() *trust.Keyring { return m.ring }

// Blind signs the own records.
func (m *Mesh) Blind() ident.PrivateKey { return m.blind }

// Gen is the generation of the own binding, and so the incarnation under which own
// records are written.
func (m *Mesh) Gen() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.gen
}

// Rebind raises the own generation to at least the one given and binds anew: what
// others know of this member from before a restore is superseded. It returns once the
// binding is on disk; a generation that is reached already changes nothing.
func (m *Mesh) Rebind(ctx context.Context, least uint64) error {
	m.binding.Lock()
	defer m.binding.Unlock()
	m.mu.Lock()
	if m.gen >= least {
		m.mu.Unlock()
		return nil
	}
	m.gen = least
	m.mu.Unlock()
	bind := m.newBind(m.all.cfg.Now())
	err := m.all.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return at(tx, m.id).Put(keyBind, bind.Marshal())
	})
	if err != nil {
		return fmt.Errorf("bind mesh %s anew: %w", m.id, err)
	}
	m.mu.Lock()
	m.bind = bind
	m.mu.Unlock()
	m.log().Info("bound anew", "mesh", m.id, "generation", least)
	return nil
}
