package post

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// openMesh is a mesh that believes whoever names a member key.
type openMesh struct{ who *person }

func (m openMesh) List() []host.Mesh { return []host.Mesh{m} }
func (m openMesh) ID() ident.MeshID  { return testMesh }
func (m openMesh) TagKey() [32]byte  { return [32]byte{7} }

func (m openMesh) Prove(t host.Transcript) ([]byte, ident.ID, error) {
	key := m.who.key.Public()
	proof := slices.Concat(key[:], []byte{t.Dir}, t.I[:], t.R[:])
	return proof, sha256.Sum256(proof), nil
}

func (m openMesh) Check(_ host.Transcript, proof []byte) (host.Peer, error) {
	if len(proof) < 32 {
		return host.Peer{}, errors.New("short proof")
	}
	bind := trust.SignBind(testMesh, m.who.key, trust.Bind{Peer: []byte("p"), Gen: 1, Until: time.Now().Add(time.Hour)})
	return host.Peer{Key: ident.PublicKey(proof[:32]), Member: true, Bind: bind.Marshal(), ProofID: sha256.Sum256(proof)}, nil
}

func (m openMesh) Sync(context.Context, *host.Stream, bool, host.Peer) error { return nil }
func (m openMesh) Member(p host.Peer) (host.Peer, bool)                      { return p, true }
func (m openMesh) Proved(host.Peer)                                          {}
func (m openMesh) Lost(host.Peer)                                            {}

// node runs a host for who on loopback until the test ends. The channel gets
// each peer whose streams are open.
func node(t *testing.T, who *person) (*host.Host, <-chan host.Peer) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := multiaddr.NewMultiaddr("/ip4/127.0.0.1/tcp/0")
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(host.Config{
		Key: key, Listen: []multiaddr.Multiaddr{addr}, Meshes: openMesh{who},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	who.post = New(who.config(OverHost(h, proved(h))))
	who.post.Register(h)
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = h.Run(ctx) })
	run.Go(func() { _ = who.post.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		run.Wait()
	})
	<-h.Ready()
	untilRunning(who.post)
	met := make(chan host.Peer, 4)
	t.Cleanup(h.Watch(testMesh, func(p host.Peer, ok bool) {
		if ok {
			met <- p
		}
	}))
	return h, met
}

// TestOverAHost: both ends of a real connection agree on its proofs, whoever dialled.
func TestOverAHost(t *testing.T) {
	ana, bob := newPerson(t), newPerson(t)
	ana.meet(bob)
	bob.meet(ana)
	near, nearProved := node(t, ana)
	far, farProved := node(t, bob)
	if err := ana.post.Send(t.Context(), testMesh, bob.key.Public(), []byte("too early")); !errors.Is(err, host.ErrOffline) {
		t.Fatal(err)
	}
	if err := near.Connect(t.Context(), peer.AddrInfo{ID: far.ID(), Addrs: far.LibP2P().Addrs()}); err != nil {
		t.Fatal(err)
	}
	<-nearProved
	<-farProved
	if err := ana.post.Send(t.Context(), testMesh, bob.key.Public(), []byte("from the one who dialled")); err != nil {
		t.Fatal(err)
	}
	if err := bob.post.Send(t.Context(), testMesh, ana.key.Public(), []byte("from the other")); err != nil {
		t.Fatal(err)
	}
	ana.until(func() bool { return len(ana.letters) == 1 && len(ana.receipts) == 1 })
	bob.until(func() bool { return len(bob.letters) == 1 && len(bob.receipts) == 1 })
}

// proved takes for a member's home any peer that has proved to be that member.
func proved(h *host.Host) host.Home {
	return func(mesh ident.MeshID, member ident.PublicKey) (peer.ID, bool) {
		for _, p := range h.Peers(mesh) {
			if p.Key == member {
				return p.Peer, true
			}
		}
		return "", false
	}
}
