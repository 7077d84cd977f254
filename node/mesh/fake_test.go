package mesh

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/store/storetest"
)

// home is one machine's meshes without a network: joining reaches the admitter named
// in the test directly.
type home struct {
	*Meshes
	t        *testing.T
	dir      string
	peer     peer.ID
	admitter *home
	// lose makes the next welcomes get lost on the way.
	lose    int
	mu      sync.Mutex
	now     time.Time
	changes int
	gone    []ident.PublicKey
	near    map[ident.PublicKey]op.Doer
}

func newHome(t *testing.T, name string) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), peer: newPeer(t), now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	h.start(name)
	return h
}

// newPeer makes a libp2p id.
func newPeer(t *testing.T) peer.ID {
	t.Helper()
	_, public, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// start opens the meshes on what is on disk.
func (h *home) start(name string) (stop func()) {
	h.t.Helper()
	db, stop := storetest.Open(h.t, filepath.Join(h.dir, "node.db"))
	var err error
	h.Meshes, err = Open(Config{
		Dir: h.dir, DB: db, Peer: h.peer, Name: name, Net: h, Log: slog.New(slog.DiscardHandler),
		Now:  func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now },
		Mono: func() time.Duration { return 0 },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.Start(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return stop
}

func (h *home) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *home) Proved(host.Peer)                      {}
func (h *home) Lost(host.Peer)                        {}
func (h *home) Entered(context.Context, ident.MeshID) {}

func (h *home) Changed(_ ident.MeshID, gone []ident.PublicKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes++
	h.gone = gone
}
func (h *home) Tell(context.Context, ident.MeshID) int        { return 0 }
func (h *home) Near(ident.MeshID) map[ident.PublicKey]op.Doer { return h.near }
func (h *home) Cut(_ ident.MeshID, which func(ident.PublicKey) bool) int {
	count := 0
	for key := range h.near {
		if which(key) {
			count++
		}
	}
	return count
}
func (h *home) Addrs() []string {
	return []string{"/ip4/127.0.0.1/tcp/1/p2p/" + h.peer.String(), "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"}
}

var errLost = errors.New("the answer was lost")

// Redeem finds the secret without an exchange.
func (h *home) Redeem(context.Context, code.Code, string) (invite.Link, error) {
	return invite.Link{}, code.ErrUnknown
}

// Join does what overlay/join does, without a stream.
func (h *home) Join(ctx context.Context, link invite.Link, who join.Applicant) (join.Admission, error) {
	return join.Join(ctx, direct{h}, link, who)
}

func (h *home) found(name string) *Mesh {
	h.t.Helper()
	out, err := h.answerNew(h.t.Context(), op.Caller{User: true}, NewRequest{Name: name})
	if err != nil {
		h.t.Fatal(err)
	}
	m, err := h.find(out.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

func (h *home) invite(in InviteRequest) string {
	h.t.Helper()
	out, err := h.answerInvite(h.t.Context(), op.Caller{User: true}, in)
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Link
}

func (h *home) tryJoin(admitter *home, link string) (JoinResponse, error) {
	h.admitter = admitter
	return h.answerJoin(h.t.Context(), op.Caller{User: true}, JoinRequest{Link: link})
}

func (h *home) mustJoin(admitter *home, link string) *Mesh {
	h.t.Helper()
	out, err := h.tryJoin(admitter, link)
	if err != nil {
		h.t.Fatal(err)
	}
	m, err := h.find(out.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}
