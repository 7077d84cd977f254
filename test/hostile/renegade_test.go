package hostile

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/store"
)

// renegade is a modified client: it has a node's folder with all its keys, and a mesh
// that believes everybody and never hears of its own removal.
type renegade struct {
	*host.Host
	mesh   liar
	gossip *gossip.Router
	db     *store.DB
	mail   *post.Post       // nil: letters are recorded as they come
	tables *replica.Replica // nil: it has no records

	mu      sync.Mutex // guards what follows
	letters [][]byte   // frames of streams of letters, as they came
	shouted [][]byte   // what came by gossip, as it came
}

// turn makes a renegade of a node, which has ended. One that takes entries of the admin
// log has the keys that its member is given.
func turn(t *testing.T, n *nodetest.Node, takes bool) *renegade {
	t.Helper()
	return turned(t, n.Dir, n.Name, takes)
}

// nodeKey is the key of the node that has a folder.
func nodeKey(t *testing.T, dir string) crypto.PrivKey {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "node.key"))
	must(t, err)
	key, err := crypto.UnmarshalPrivateKey(raw)
	must(t, err)
	return key
}

// turned makes a renegade of what a node left in its folder.
func turned(t *testing.T, dir, name string, takes bool) *renegade {
	t.Helper()
	key := nodeKey(t, dir)
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(store.Config{Path: filepath.Join(dir, "node.db"), Schema: 1, Log: log, Now: time.Now, Fatal: func(error) {}})
	must(t, err)
	r := &renegade{db: db}
	r.Host, err = host.New(host.Config{Key: key, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}, Meshes: r, Log: log})
	must(t, err)
	began := time.Now()
	all, err := mesh.Open(mesh.Config{
		Dir: dir, DB: db, Peer: r.ID(), Name: name, Net: nowhere{}, Now: time.Now,
		Mono: func() time.Duration { return time.Since(began) }, Log: log,
	})
	must(t, err)
	r.mesh.Mesh = all.All()[0]
	r.mesh.takes.Store(takes)
	r.gossip, err = gossip.New(r.Host, r.mesh.ID())
	must(t, err)
	r.gossip.Handle(r.overhear)
	r.Handle("post/1", 8, r.record)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	lives(t, db.Run, r.Run, r.gossip.Run)
	<-r.Ready()
	return r
}

// lives runs parts until the test ends.
func lives(t *testing.T, parts ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range parts {
		wg.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// List implements host.Meshes.
func (r *renegade) List() []host.Mesh { return []host.Mesh{&r.mesh} }

// overhear keeps what is shouted, as it came.
func (r *renegade) overhear(_ peer.ID, payload []byte) gossip.Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shouted = append(r.shouted, append([]byte(nil), payload...))
	return gossip.Accept
}

// record keeps the frames of a stream of letters, as they come, and answers nothing.
func (r *renegade) record(_ context.Context, s *host.Stream) {
	for conn := wire.NewConn(s); ; {
		frame, err := conn.ReadFrame(wire.MaxFrame)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.letters = append(r.letters, frame)
		r.mu.Unlock()
	}
}

// posted are the frames of letters that came.
func (r *renegade) posted() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.letters...)
}

// heard are the payloads that came by gossip.
func (r *renegade) heard() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.shouted...)
}

// liar is a mesh that holds everybody for a member and takes entries only if it is told to.
type liar struct {
	*mesh.Mesh
	takes atomic.Bool
}

// Check implements host.Mesh.
func (l *liar) Check(t host.Transcript, proof []byte) (host.Peer, error) {
	p, err := l.Mesh.Check(t, proof)
	p.Member, p.NeedSync = true, false
	return p, err
}

// Sync implements host.Mesh.
func (l *liar) Sync(ctx context.Context, s *host.Stream, opener bool, p host.Peer) error {
	if !l.takes.Load() {
		return nil
	}
	return l.Mesh.Sync(ctx, s, opener, p)
}

// Member implements host.Mesh.
func (l *liar) Member(p host.Peer) (host.Peer, bool) {
	p.Member = true
	return p, true
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
