package lies_test

import (
	"context"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/post"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/store"
)

// liar is the modified client of a member in good standing: it speaks every protocol of
// the mesh, and says what the test has it say.
type liar struct {
	*host.Host
	t      *testing.T
	mesh   telling
	gossip *gossip.Router
	victim peer.AddrInfo
}

// telling is a mesh that gives entries of the admin log that are lies.
type telling struct {
	*mesh.Mesh
	mu   sync.Mutex // guards lies
	lies [][]byte
}

// Sync implements host.Mesh.
func (m *telling) Sync(ctx context.Context, s *host.Stream, opener bool, p host.Peer) error {
	m.mu.Lock()
	lies := m.lies
	m.mu.Unlock()
	if !opener || len(lies) == 0 {
		return m.Mesh.Sync(ctx, s, opener, p)
	}
	conn := wire.NewConn(s)
	until := func() error { // the end of a list
		for {
			if b, err := conn.ReadFrame(wire.MaxFrame); err != nil || len(b) == 0 {
				return err
			}
		}
	}
	err := errors.Join(conn.Send(nil), until(), until())
	for _, e := range lies {
		err = errors.Join(err, conn.WriteFrame(binary.BigEndian.AppendUint64(nil, uint64(len(e)))), conn.WriteFrame(e))
	}
	return errors.Join(err, conn.Send(nil), until())
}

// turn makes a liar of a node, which has ended, and connects it with another one.
func turn(t *testing.T, n *nodetest.Node, victim peer.AddrInfo) *liar {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(n.Dir, "node.key"))
	must(t, err)
	key, err := crypto.UnmarshalPrivateKey(raw)
	must(t, err)
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(store.Config{Path: filepath.Join(n.Dir, "node.db"), Schema: 1, Log: log, Now: time.Now, Fatal: func(error) {}})
	must(t, err)
	l := &liar{t: t, victim: victim}
	l.Host, err = host.New(host.Config{Key: key, Listen: anywhere(), Meshes: l, Log: log})
	must(t, err)
	began := time.Now()
	all, err := mesh.Open(mesh.Config{
		Dir: n.Dir, DB: db, Peer: l.ID(), Name: n.Name, Net: nowhere{}, Now: time.Now,
		Mono: func() time.Duration { return time.Since(began) }, Log: log,
	})
	must(t, err)
	l.mesh.Mesh = all.All()[0]
	l.gossip, err = gossip.New(l.Host, l.mesh.ID())
	must(t, err)
	l.gossip.Handle(func(peer.ID, []byte) gossip.Verdict { return gossip.Ignore })
	l.live(db.Run, l.Run, l.gossip.Run)
	t.Cleanup(func() { must(t, db.Close()) })
	<-l.Ready()
	must(t, l.Connect(t.Context(), victim))
	must(t, l.gossip.Wait(t.Context(), victim.ID))
	return l
}

// live runs parts until the test ends.
func (l *liar) live(parts ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range parts {
		wg.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				l.t.Error(err)
			}
		})
	}
	l.t.Cleanup(func() { cancel(); wg.Wait() })
}

// List implements host.Meshes.
func (l *liar) List() []host.Mesh { return []host.Mesh{&l.mesh} }

// enters has the other node take entries of the admin log.
func (l *liar) enters(bodies ...ident.Statement) {
	l.t.Helper()
	var lies [][]byte
	for _, st := range bodies {
		var f ident.Fields
		f.Bytes(1, st.Marshal())
		lies = append(lies, f.Body())
	}
	l.mesh.mu.Lock()
	l.mesh.lies = lies
	l.mesh.mu.Unlock()
	_ = l.Sync(l.t.Context(), l.mesh.ID(), l.victim.ID) // it is cut off, or not
}

// shouts gossips a sealed payload.
func (l *liar) shouts(kind byte, body ...[]byte) {
	l.t.Helper()
	plain := []byte{kind}
	for _, b := range body {
		plain = append(plain, b...)
	}
	payload, err := l.mesh.SealGossip(plain)
	must(l.t, err)
	must(l.t, l.gossip.Shout(l.t.Context(), payload))
}

// posts sends letters on a stream of its own, with keys that may lie.
func (l *liar) posts(change func(*keys), letters ...[]byte) {
	l.t.Helper()
	k := &keys{m: l.mesh.Mesh}
	if change != nil {
		change(k)
	}
	p := post.New(post.Config{
		Streams: post.OverHost(l.Host, func(ident.MeshID, ident.PublicKey) (peer.ID, bool) { return l.victim.ID, true }),
		Keys:    k,
		Deliver: func(context.Context, ident.MeshID, ident.PublicKey, [][]byte) ([]byte, error) { return nil, nil },
		Receipt: func(context.Context, ident.MeshID, ident.PublicKey, []byte) {},
	})
	l.live(p.Run) // what it has written is read after Send
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if err := p.Send(ctx, l.mesh.ID(), l.mesh.State().Owner, letters...); !errors.Is(err, post.ErrStopped) {
			return // an error is what a lie deserves
		}
	}
}

// keys are a member's, for the post.
type keys struct {
	m        *mesh.Mesh
	delivery []byte           // given instead of the own one
	signer   ident.PrivateKey // signs streams, if it is not zero
}

func (k *keys) Sign(_ ident.MeshID, kind ident.Kind, body []byte) (ident.Statement, error) {
	if kind == ident.KindStream && !k.signer.IsZero() {
		return ident.Sign(kind, k.m.ID(), body, k.signer), nil
	}
	return k.m.Sign(kind, body), nil
}

func (k *keys) Private(_ ident.MeshID, id [32]byte) (hpke.PrivateKey, bool) { return k.m.Private(id) }

func (k *keys) Self(ident.MeshID) (ident.PublicKey, error) { return k.m.Self(), nil }

func (k *keys) Delivery(ident.MeshID) []byte {
	if k.delivery != nil {
		return k.delivery
	}
	return k.m.Delivery()
}

func (k *keys) Public(_ ident.MeshID, member ident.PublicKey) (delivery, seal []byte, err error) {
	return k.m.Public(member)
}

func (k *keys) Learn(_ ident.MeshID, member ident.PublicKey, statement []byte) error {
	return k.m.Learn(member, statement)
}

// proves shakes hands as another node that is not the member's home.
func (l *liar) proves() {
	l.t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(l.t, err)
	h, err := host.New(host.Config{Key: key, Listen: anywhere(), Meshes: l, Log: slog.New(slog.DiscardHandler)})
	must(l.t, err)
	l.live(h.Run)
	<-h.Ready()
	must(l.t, h.Connect(l.t.Context(), l.victim))
}

func anywhere() []ma.Multiaddr { return []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// where is how a node is reached.
func where(t *testing.T, n *nodetest.Node) (at peer.AddrInfo) {
	t.Helper()
	link, err := invite.ParseLink(n.Invite())
	must(t, err)
	at.ID, err = peer.Decode(link.PeerID)
	must(t, err)
	for _, text := range link.Addrs {
		addr, err := ma.NewMultiaddr(text)
		must(t, err)
		transport, _ := peer.SplitAddr(addr)
		at.Addrs = append(at.Addrs, transport)
	}
	return at
}

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
