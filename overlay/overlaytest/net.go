package overlaytest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Patience is how long helpers here wait for what must happen, also on a busy machine.
const Patience = 90 * time.Second

// Options say how the hosts of a Net are.
type Options struct {
	QUIC      bool          // listen on QUIC instead of TCP
	Strangers int           // the last so many hosts are in no mesh
	Limits    host.Limits   // of every host
	PingEvery time.Duration // of every host
	Log       *slog.Logger  // nothing is logged if nil
}

// Node is one running host with its mesh.
type Node struct {
	*host.Host
	Meshes *Meshes
	Mesh   *Mesh // nil for a stranger
	Key    ident.PrivateKey
}

// Info returns what others need to dial the node.
func (n *Node) Info() peer.AddrInfo {
	infos, err := peer.AddrInfosFromP2pAddrs(n.Addrs()...)
	if err != nil || len(infos) != 1 {
		return peer.AddrInfo{ID: n.ID()}
	}
	return infos[0]
}

// Net is a number of hosts on loopback. They run until the test ends.
type Net struct {
	Nodes []*Node
	t     testing.TB

	mu  sync.Mutex // guards cut
	cut map[[2]peer.ID]bool
}

// New starts n hosts, all in one mesh, every one of which knows every member. None is connected.
func New(t testing.TB, n int, o Options) *Net {
	t.Helper()
	net := &Net{t: t, cut: map[[2]peer.ID]bool{}}
	for i := range n {
		net.Nodes = append(net.Nodes, net.start(o, i >= n-o.Strangers))
	}
	for _, a := range net.Nodes {
		for _, b := range net.Nodes {
			if a.Mesh != nil && b.Mesh != nil {
				a.Mesh.Admit(b.Key.Public())
			}
		}
	}
	return net
}

// NewKey makes a libp2p key.
func NewKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	k, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// NewMember makes a member key.
func NewMember(t testing.TB) ident.PrivateKey {
	t.Helper()
	k, err := ident.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (n *Net) start(o Options, stranger bool) *Node {
	n.t.Helper()
	node := &Node{Meshes: &Meshes{}, Key: NewMember(n.t)}
	if !stranger {
		node.Mesh = NewMesh("secret", node.Key)
		node.Meshes.Join(node.Mesh)
	}
	listen := "/ip4/127.0.0.1/tcp/0"
	if o.QUIC {
		listen = "/ip4/127.0.0.1/udp/0/quic-v1"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	key := NewKey(n.t)
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		n.t.Fatal(err)
	}
	node.Host, err = host.New(host.Config{
		Key: key, Listen: []ma.Multiaddr{ma.StringCast(listen)}, Meshes: node.Meshes,
		Limits: o.Limits, PingEvery: o.PingEvery, Log: o.Log.With("self", self.ShortString()),
		Allow: func(p peer.ID) bool { return n.allowed(self, p) },
	})
	if err != nil {
		n.t.Fatal(err)
	}
	Run(n.t, node.Host.Run)
	select {
	case <-node.Ready():
	case <-time.After(Patience):
		n.t.Fatal("host does not listen")
	}
	return node
}

// Run runs a part's Run until the test ends and fails the test if it returns an error. The returned
// function ends it early and waits for it.
func Run(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("run: %v", err)
				}
			case <-time.After(Patience):
				t.Errorf("run does not return")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// Connect makes node i dial node j, and waits until each has proved itself to the other, if both are
// in the mesh.
func (n *Net) Connect(i, j int) {
	n.t.Helper()
	a, b := n.Nodes[i], n.Nodes[j]
	if err := n.Dial(i, j); err != nil {
		n.t.Fatalf("connect %d to %d: %v", i, j, err)
	}
	if a.Mesh == nil || b.Mesh == nil {
		return
	}
	Wait(n.t, fmt.Sprintf("%d and %d to prove themselves", i, j), func() bool {
		return a.HasProved(b) && b.HasProved(a)
	})
}

// Dial makes node i dial node j and returns what Connect says.
func (n *Net) Dial(i, j int) error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return n.Nodes[i].Connect(ctx, n.Nodes[j].Info())
}

// HasProved reports whether other has proved itself to n.
func (n *Node) HasProved(other *Node) bool {
	for _, p := range n.Peers(n.Mesh.ID()) {
		if p.Peer == other.ID() {
			return true
		}
	}
	return false
}

// Full connects every node with every other.
func (n *Net) Full() {
	n.t.Helper()
	var wg sync.WaitGroup
	for i := range n.Nodes {
		wg.Go(func() {
			for j := range i {
				if err := n.Dial(i, j); err != nil {
					n.t.Errorf("connect %d to %d: %v", i, j, err)
				}
			}
		})
	}
	wg.Wait()
	Wait(n.t, "all to prove themselves", func() bool {
		for _, a := range n.Nodes {
			if a.Mesh != nil && len(a.Peers(a.Mesh.ID())) < n.members()-1 {
				return false
			}
		}
		return true
	})
}

func (n *Net) members() (k int) {
	for _, a := range n.Nodes {
		if a.Mesh != nil {
			k++
		}
	}
	return k
}

// Cut closes the connections between i and j and lets none come about until Heal.
func (n *Net) Cut(i, j int) {
	n.set(i, j, true)
	n.Nodes[i].Disconnect(n.Nodes[j].ID())
	n.Nodes[j].Disconnect(n.Nodes[i].ID())
}

// Heal undoes Cut. It connects nobody.
func (n *Net) Heal(i, j int) { n.set(i, j, false) }

func (n *Net) set(i, j int, cut bool) {
	a, b := n.Nodes[i].ID(), n.Nodes[j].ID()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]peer.ID{a, b}], n.cut[[2]peer.ID{b, a}] = cut, cut
}

func (n *Net) allowed(a, b peer.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.cut[[2]peer.ID{a, b}]
}

// Wait waits until cond holds and fails the test if it does not within Patience.
func Wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(Patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %v in vain for %s", Patience, what)
		}
	}
}
