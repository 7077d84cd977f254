package renegade

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Mesh is a mesh as a modified client has it. It is safe for concurrent use.
type Mesh struct {
	*mesh.Mesh
	// Deaf takes no entries of the admin log.
	Deaf atomic.Bool

	believes bool
	mu       sync.Mutex // guards entries
	entries  [][]byte   // given instead of the log's
}

// Check implements host.Mesh.
func (m *Mesh) Check(t host.Transcript, proof []byte) (host.Peer, error) {
	p, err := m.Mesh.Check(t, proof)
	if m.believes {
		p.Member, p.NeedSync = true, false
	}
	return p, err
}

// Member implements host.Mesh.
func (m *Mesh) Member(p host.Peer) (host.Peer, bool) {
	if !m.believes {
		return m.Mesh.Member(p)
	}
	p.Member = true
	return p, true
}

// Sync implements host.Mesh.
func (m *Mesh) Sync(ctx context.Context, s *host.Stream, opener bool, p host.Peer) error {
	if m.Deaf.Load() {
		return nil
	}
	m.mu.Lock()
	entries := m.entries
	m.mu.Unlock()
	if opener && len(entries) > 0 {
		return give(wire.NewConn(s), entries)
	}
	return m.Mesh.Sync(ctx, s, opener, p)
}

// give is an exchange of admin logs in which the opener has certain entries, whatever
// they are, and wants none.
func give(conn *wire.Conn, entries [][]byte) error {
	until := func() error { // the end of a list
		for {
			if b, err := conn.ReadFrame(wire.MaxFrame); err != nil || len(b) == 0 {
				return err
			}
		}
	}
	err := errors.Join(conn.Send(nil), until(), until())
	for _, e := range entries {
		err = errors.Join(err, conn.WriteFrame(binary.BigEndian.AppendUint64(nil, uint64(len(e)))), conn.WriteFrame(e))
	}
	return errors.Join(err, conn.Send(nil), until())
}

// Give has a node take entries of the admin log, or refuse them.
func (c *Client) Give(to peer.ID, entries ...[]byte) {
	c.t.Helper()
	c.Mesh.give(entries)
	_ = c.Sync(c.t.Context(), c.Mesh.ID(), to) // it is cut off, or not
	c.Mesh.give(nil)
}

func (m *Mesh) give(entries [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = entries
}

// Prove shakes hands with a node, from a node that is nobody's home, and proves itself
// by whatever proof makes: see mesh.Prove.
func (c *Client) Prove(at peer.AddrInfo, proof func(host.Transcript) ([]byte, ident.ID, error)) {
	c.t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	nodetest.Must(c.t, err)
	h, err := host.New(host.Config{Key: key, Listen: anywhere(), Meshes: proving{c.Mesh, proof}, Log: slog.New(slog.DiscardHandler)})
	nodetest.Must(c.t, err)
	Live(c.t, h.Run)
	<-h.Ready()
	nodetest.Must(c.t, h.Connect(c.t.Context(), at))
}

// proving is a mesh with another proof.
type proving struct {
	*Mesh
	proof func(host.Transcript) ([]byte, ident.ID, error)
}

// List implements host.Meshes.
func (p proving) List() []host.Mesh { return []host.Mesh{&p} }

// Prove implements host.Mesh.
func (p proving) Prove(t host.Transcript) ([]byte, ident.ID, error) { return p.proof(t) }

// nowhere is the network of meshes that nobody tells anything.
type nowhere struct{}

func (nowhere) Proved(host.Peer)                                 {}
func (nowhere) Lost(host.Peer)                                   {}
func (nowhere) Entered(context.Context, ident.MeshID)            {}
func (nowhere) Changed(ident.MeshID, []ident.PublicKey)          {}
func (nowhere) Tell(context.Context, ident.MeshID) int           { return 0 }
func (nowhere) Near(ident.MeshID) map[ident.PublicKey]op.Doer    { return nil }
func (nowhere) Cut(ident.MeshID, func(ident.PublicKey) bool) int { return 0 }
func (nowhere) Addrs() []string                                  { return nil }
func (nowhere) Redeem(context.Context, code.Code, string) (invite.Link, error) {
	return invite.Link{}, errors.ErrUnsupported
}
func (nowhere) Join(context.Context, invite.Link, join.Applicant) (join.Admission, error) {
	return join.Admission{}, errors.ErrUnsupported
}
