package renegade

import (
	"context"
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
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/store"
)

// Config says what a client is made of.
type Config struct {
	// Dir is the folder that a node, which has ended, left behind; Name its member's.
	Dir, Name string
	// Believes has it hold everybody for a member, and never hear of its own removal.
	Believes bool
	// Overhear judges what is shouted, as it comes. Nil: it goes by unheard.
	Overhear func(payload []byte) gossip.Verdict
}

// Client is a modified client. It lives until the test ends.
type Client struct {
	*host.Host
	Mesh   *Mesh
	Gossip *gossip.Router
	DB     *store.DB

	t testing.TB
}

// Turn makes a client of what a node left in its folder.
func Turn(t testing.TB, cfg Config) *Client {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(store.Config{Path: filepath.Join(cfg.Dir, "node.db"), Schema: 1, Log: log, Now: time.Now, Fatal: func(error) {}})
	nodetest.Must(t, err)
	t.Cleanup(func() { nodetest.Must(t, db.Close()) })
	c := &Client{t: t, DB: db, Mesh: &Mesh{believes: cfg.Believes}}
	c.Host, err = host.New(host.Config{Key: NodeKey(t, cfg.Dir), Listen: anywhere(), Meshes: c, Log: log})
	nodetest.Must(t, err)
	began := time.Now()
	all, err := mesh.Open(mesh.Config{
		Dir: cfg.Dir, DB: db, Peer: c.ID(), Name: cfg.Name, Net: nowhere{}, Now: time.Now,
		Mono: func() time.Duration { return time.Since(began) }, Log: log,
	})
	nodetest.Must(t, err)
	c.Mesh.Mesh = all.All()[0]
	c.Gossip, err = gossip.New(c.Host, c.Mesh.ID())
	nodetest.Must(t, err)
	c.Gossip.Handle(func(_ peer.ID, payload []byte) gossip.Verdict {
		if cfg.Overhear == nil {
			return gossip.Ignore
		}
		return cfg.Overhear(payload)
	})
	Live(t, db.Run, c.Run, c.Gossip.Run)
	<-c.Ready()
	return c
}

// List implements host.Meshes.
func (c *Client) List() []host.Mesh { return []host.Mesh{c.Mesh} }

// Meet connects with a node and waits until that holds the client for a member.
func (c *Client) Meet(at peer.AddrInfo) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	defer cancel()
	nodetest.Must(c.t, c.Connect(ctx, at))
	nodetest.Must(c.t, c.Gossip.Wait(ctx, at.ID))
}

// Live runs parts until the test ends.
func Live(t testing.TB, parts ...func(context.Context) error) {
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

// NodeKey is the key of the node that has a folder.
func NodeKey(t testing.TB, dir string) crypto.PrivKey {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "node.key"))
	nodetest.Must(t, err)
	key, err := crypto.UnmarshalPrivateKey(raw)
	nodetest.Must(t, err)
	return key
}

// Where finds a node by an invite.
func Where(t testing.TB, n *nodetest.Node) (at peer.AddrInfo) {
	t.Helper()
	link, err := invite.ParseLink(n.Invite())
	nodetest.Must(t, err)
	at.ID, err = peer.Decode(link.PeerID)
	nodetest.Must(t, err)
	for _, text := range link.Addrs {
		addr, err := ma.NewMultiaddr(text)
		nodetest.Must(t, err)
		transport, _ := peer.SplitAddr(addr)
		at.Addrs = append(at.Addrs, transport)
	}
	return at
}

func anywhere() []ma.Multiaddr { return []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")} }
