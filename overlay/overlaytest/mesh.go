package overlaytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Meshes is a host.Meshes that can be changed. The zero value has none.
type Meshes struct {
	mu   sync.Mutex // guards list
	list []host.Mesh
}

// List implements host.Meshes.
func (m *Meshes) List() []host.Mesh {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.list)
}

// Join adds a mesh. The host learns of it by Reprove.
func (m *Meshes) Join(mesh host.Mesh) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, mesh)
}

// Leave takes a mesh away. The host learns of it by Reprove.
func (m *Meshes) Leave(mesh host.Mesh) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = slices.DeleteFunc(m.list, func(x host.Mesh) bool { return x == mesh })
}

// Mesh is a host.Mesh without an admin log: everyone who knows the secret has the tag key, and each
// node keeps its own set of members and of removed ones, which Sync unites.
type Mesh struct {
	id   ident.MeshID
	key  [32]byte
	self ident.PrivateKey

	mu       sync.Mutex // guards all below
	members  map[ident.PublicKey]bool
	removed  map[ident.PublicKey]bool
	log      []Event
	syncs    int
	syncing  func(opener bool) error
	tampered func([]byte) []byte
}

// Event is a call of Proved or Lost.
type Event struct {
	Proved bool
	Peer   host.Peer
}

// NewMesh returns the mesh of that secret for a member, which is its first member.
func NewMesh(secret string, self ident.PrivateKey) *Mesh {
	sum := sha256.Sum256([]byte("id " + secret))
	m := &Mesh{
		id: ident.MeshID(sum[:20]), key: sha256.Sum256([]byte("tag " + secret)), self: self,
		members: map[ident.PublicKey]bool{}, removed: map[ident.PublicKey]bool{},
	}
	m.Admit(self.Public())
	return m
}

// Self is the member of this node.
func (m *Mesh) Self() ident.PublicKey { return m.self.Public() }

// Admit makes keys members by this node's view.
func (m *Mesh) Admit(keys ...ident.PublicKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		m.members[k] = true
	}
}

// Remove removes keys by this node's view, for good.
func (m *Mesh) Remove(keys ...ident.PublicKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		m.removed[k] = true
	}
}

// OnSync makes fn run at the beginning of every Sync; its error ends it.
func (m *Mesh) OnSync(fn func(opener bool) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.syncing = fn
}

// Tamper makes every proof of this node pass through fn.
func (m *Mesh) Tamper(fn func([]byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tampered = fn
}

// Events returns the calls of Proved and Lost so far.
func (m *Mesh) Events() []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log)
}

// Syncs returns how often Sync has run.
func (m *Mesh) Syncs() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.syncs
}

// ID implements host.Mesh.
func (m *Mesh) ID() ident.MeshID { return m.id }

// TagKey implements host.Mesh.
func (m *Mesh) TagKey() [32]byte { return m.key }

// Prove implements host.Mesh.
func (m *Mesh) Prove(t host.Transcript) ([]byte, ident.ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	self, heads := m.self.Public(), m.heads()
	var f ident.Fields
	f.Bytes(1, transcript(t))
	f.Bytes(2, self[:])
	f.Bytes(3, heads[:])
	st := ident.Sign(ident.KindProof, m.id, f.Body(), m.self)
	proof := st.Marshal()
	if m.tampered != nil {
		proof = m.tampered(proof)
	}
	return proof, st.ID(), nil
}

// Check implements host.Mesh.
func (m *Mesh) Check(t host.Transcript, proof []byte) (host.Peer, error) {
	st, err := ident.ParseStatement(proof, wire.MaxProof)
	if err != nil {
		return host.Peer{}, err
	}
	r, err := ident.ReadFields(st.Body, 1, 2, 3)
	if err != nil {
		return host.Peer{}, err
	}
	r.Need(1, 2, 3)
	var key ident.PublicKey
	var heads [32]byte
	r.Fixed(2, key[:])
	r.Fixed(3, heads[:])
	text := r.Bytes(1, 1024)
	if err := r.Err(); err != nil {
		return host.Peer{}, err
	}
	if !bytes.Equal(text, transcript(t)) {
		return host.Peer{}, errors.New("overlaytest: proof of another handshake")
	}
	if err := st.Verify(ident.KindProof, m.id, key); err != nil {
		return host.Peer{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return host.Peer{
		Key: key, Member: m.member(key), NeedSync: heads != m.heads(), ProofID: st.ID(),
	}, nil
}

// Sync implements host.Mesh.
func (m *Mesh) Sync(_ context.Context, s *host.Stream, opener bool, _ host.Peer) error {
	m.mu.Lock()
	m.syncs++
	fn := m.syncing
	m.mu.Unlock()
	if fn != nil {
		if err := fn(opener); err != nil {
			return err
		}
	}
	c := wire.NewConn(s)
	if opener {
		if err := m.send(c); err != nil {
			return err
		}
		return m.receive(c)
	}
	if err := m.receive(c); err != nil {
		return err
	}
	return m.send(c)
}

func (m *Mesh) send(c *wire.Conn) error {
	m.mu.Lock()
	lists := [][][]byte{list(m.members), list(m.removed)}
	m.mu.Unlock()
	var f ident.Fields
	f.List(1, lists[0])
	f.List(2, lists[1])
	return c.Send(f.Body())
}

func (m *Mesh) receive(c *wire.Conn) error {
	b, err := c.ReadFrame(wire.MaxFrame)
	if err != nil {
		return err
	}
	r, err := ident.ReadFields(b, 1, 2)
	if err != nil {
		return err
	}
	members, removed := r.List(1, 1000, 32), r.List(2, 1000, 32)
	if err := r.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range members {
		m.members[ident.PublicKey(k)] = true
	}
	for _, k := range removed {
		m.removed[ident.PublicKey(k)] = true
	}
	return nil
}

// Member implements host.Mesh.
func (m *Mesh) Member(p host.Peer) (host.Peer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.Member = m.member(p.Key)
	return p, p.Member
}

// Proved implements host.Mesh.
func (m *Mesh) Proved(p host.Peer) { m.record(true, p) }

// Lost implements host.Mesh.
func (m *Mesh) Lost(p host.Peer) { m.record(false, p) }

func (m *Mesh) record(proved bool, p host.Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, Event{proved, p})
}

// member needs mu. Who was removed itself holds nobody for a member.
func (m *Mesh) member(k ident.PublicKey) bool {
	return m.members[k] && !m.removed[k] && !m.removed[m.self.Public()]
}

// heads needs mu.
func (m *Mesh) heads() [32]byte {
	h := sha256.New()
	for _, l := range [][][]byte{list(m.members), list(m.removed)} {
		for _, k := range l {
			h.Write(k)
		}
		h.Write([]byte{0})
	}
	return [32]byte(h.Sum(nil))
}

func list(set map[ident.PublicKey]bool) [][]byte {
	out := make([][]byte, 0, len(set))
	for k := range set {
		out = append(out, k[:])
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

func transcript(t host.Transcript) []byte {
	return fmt.Appendf(nil, "%c %x %x %s %s", t.Dir, t.I, t.R, t.PeerI, t.PeerR)
}
