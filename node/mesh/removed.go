package mesh

import (
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Who was removed is told of the removing entry and of nothing that came before it,
// so its log may never take the entry up. That entry is then kept beside the log and
// believed as long as its signer may remove by what the log says.

// In tells whether the own member is one still, as far as this node knows, and this
// node its home.
func (m *Mesh) In() bool {
	_, in := m.admin.State().Member(m.self)
	_, away := m.Elsewhere()
	return in && !away && m.toldOf() == nil
}

// Removed says by whom and when the own member was removed, if it was.
func (m *Mesh) Removed() (ledger.Gone, bool) {
	if e := m.toldOf(); e != nil {
		return ledger.From(*e, ledger.Names(m.admin), m.self), true
	}
	if m.admin.State().Role(m.self) != trust.RoleNone {
		return ledger.Gone{}, false
	}
	return ledger.GoneOf(m.admin, m.self), true
}

// removes tells whether an entry that the log has verified and cannot take up yet
// removes the own member, or strikes its admission.
func (m *Mesh) removes(e trust.Entry) bool {
	if m.admin.Has(e.ID()) || !m.mayRemove(e) {
		return false
	}
	r, ok := e.Body().(*trust.Remove)
	return ok && slices.Contains(r.Targets, trust.Principal(m.self)) || ledger.Struck(m.admin, e, m.self)
}

// mayRemove tells whether the signer of a removal ranks above the own member.
func (m *Mesh) mayRemove(e trust.Entry) bool {
	state := m.admin.State()
	signer := state.Role(e.Signer())
	return signer >= trust.RoleAdmin && signer > state.Role(m.self)
}

// toldOf is the removal that was told and that the log has not taken up, or nil.
func (m *Mesh) toldOf() *trust.Entry {
	m.mu.RLock()
	e := m.told
	m.mu.RUnlock()
	if e == nil || m.admin.Has(e.ID()) || !m.mayRemove(*e) {
		return nil
	}
	return e
}

// hear takes note of a removal that is on disk; nil changes nothing.
func (m *Mesh) hear(e *trust.Entry) {
	if e == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = e
}

func (m *Mesh) writeTold(tx *store.Tx, e *trust.Entry) error {
	if e == nil {
		return nil
	}
	return at(tx, m.id).Put(keyTold, e.Marshal())
}

func (m *Mesh) loadTold(tx *store.Tx) error {
	raw := at(tx, m.id).Get(keyTold)
	if raw == nil {
		return nil
	}
	e, err := trust.ParseEntry(append([]byte(nil), raw...))
	if err != nil {
		return fmt.Errorf("%w: removal: %w", ErrKept, err)
	}
	m.told = &e
	return nil
}

// findIn is find for operations that take a member.
func (a *Meshes) findIn(name string) (*Mesh, error) {
	m, err := a.find(name)
	if err != nil {
		return nil, err
	}
	return m, m.outcast()
}

// outcast is what users of this node are told after the own member was removed, or
// while another node is its home.
func (m *Mesh) outcast() error {
	gone, ok := m.Removed()
	if !ok {
		return m.suspended()
	}
	return op.Errorf(op.Denied, "%s", removedText(m.Slug(), gone)).
		WithHint("only an admin of %s can let you in again; `claudemesh leave %s` forgets it on this machine", m.Slug(), m.Slug())
}

// Outcast explains why a mesh of this node cannot be used: its member was removed, or
// is at home elsewhere.
// An empty name means the only mesh there is. nil says that this is not the reason.
func (a *Meshes) Outcast(name string) error {
	m, err := a.find(name)
	if err != nil {
		return nil
	}
	return m.outcast()
}

// Trouble says why nothing is sent or received in the mesh, empty if that is not so.
func (i Info) Trouble() op.Phrase {
	switch {
	case i.Removed != nil:
		return removedText(i.Slug, *i.Removed)
	case i.Elsewhere != nil:
		return elsewhereText(i.Slug, *i.Elsewhere)
	}
	return op.Phrase{}
}

func removedText(slug string, gone ledger.Gone) op.Phrase {
	if gone.By == "" {
		return op.Phrasef("You are no member of %s any more: nothing is sent or received there.", slug)
	}
	return op.Phrasef("%s removed you from %s, as of %s: nothing is sent or received there any more.", gone.By, slug, gone.At)
}
