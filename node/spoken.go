package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/find"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
)

// Bounds of the search for whoever gave a code out.
const (
	searchFor    = 12 * time.Second
	askAgain     = time.Second
	searchMore   = time.Second // after the first find, for a second node with the same number
	askOneFor    = 4 * time.Second
	maxNearby    = 256
	askAtOnce    = 8
	maxAddresses = 16
)

// nearby remembers the nodes that turned up on the local network.
type nearby struct {
	mu      sync.Mutex // guards what follows
	peers   map[peer.ID]peer.AddrInfo
	changed chan struct{} // closed when one more has turned up
	failed  error         // why the last start of the search failed
}

func newNearby() *nearby {
	return &nearby{peers: make(map[peer.ID]peer.AddrInfo), changed: make(chan struct{})}
}

// watch is a LAN that remembers what it finds; nil stays nil.
func (n *nearby) watch(lan find.LAN) find.LAN {
	if lan == nil {
		return nil
	}
	return func(found func(peer.AddrInfo)) (io.Closer, error) {
		search, err := lan(func(info peer.AddrInfo) {
			n.add(info)
			found(info)
		})
		n.mu.Lock()
		defer n.mu.Unlock()
		n.failed = err
		return search, err
	}
}

// state is how many were found, and why nobody is looked for; nil: somebody is.
func (n *nearby) state() (found int, failed error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.peers), n.failed
}

func (n *nearby) add(info peer.AddrInfo) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, known := n.peers[info.ID]
	if !known && len(n.peers) >= maxNearby {
		return
	}
	info.Addrs = info.Addrs[:min(len(info.Addrs), maxAddresses)]
	n.peers[info.ID] = info
	if !known {
		close(n.changed)
		n.changed = make(chan struct{})
	}
}

// all lists them; more is closed when there is another one.
func (n *nearby) all() (list []peer.AddrInfo, more <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, info := range n.peers {
		list = append(list, info)
	}
	return list, n.changed
}

// Redeem implements mesh.Net.
func (n *network) Redeem(ctx context.Context, c code.Code, at string) (invite.Link, error) {
	to, err := n.whoGave(ctx, c, at)
	if err != nil {
		return invite.Link{}, err
	}
	secret, err := join.Redeem(ctx, join.OverHost(n.host), to, c)
	if err != nil {
		return invite.Link{}, err
	}
	link := invite.Link{Secret: secret, PeerID: to.ID.String()}
	for _, a := range to.Addrs {
		if text := a.String(); len(text) <= invite.MaxAddr && len(link.Addrs) < invite.MaxAddrs {
			link.Addrs = append(link.Addrs, text)
		}
	}
	return link, nil
}

// whoGave finds the node that gave a code out.
func (n *network) whoGave(ctx context.Context, c code.Code, at string) (peer.AddrInfo, error) {
	if at != "" {
		return n.nodeAt(ctx, at)
	}
	if n.lan == nil {
		return peer.AddrInfo{}, op.Errorf(op.Unavailable, "this node does not look for others on the local network").
			WithHint("say where the inviter's node is: `claudemesh join CODE --at HOST:PORT`; its owner sees that in `claudemesh invite --code`")
	}
	found, err := n.search(ctx, c.Plate)
	switch {
	case err != nil:
		return peer.AddrInfo{}, err
	case len(found) == 0:
		return peer.AddrInfo{}, op.Errorf(op.NotFound, "nobody on the local network gave out a code with the number %d", c.Plate).
			WithHint("check the number; both machines must be on one network. Else say where the inviter's node is: --at HOST:PORT")
	case len(found) > 1:
		return peer.AddrInfo{}, op.Errorf(op.Ambiguous, "%d nodes on the local network gave out a code with the number %d", len(found), c.Plate).
			WithHint("say which one is meant, --at HOST:PORT, or ask for a new code")
	}
	return found[0], nil
}

// search asks all nodes on the local network whether a code is theirs.
func (n *network) search(ctx context.Context, plate int) (found []peer.AddrInfo, err error) {
	ctx, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	s := &survey{network: n, plate: plate, asked: make(map[peer.ID]bool), answers: make(chan answered), slots: make(chan struct{}, askAtOnce)}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	var enough <-chan time.Time
	for {
		list, more := n.lan.all()
		for _, info := range list {
			s.ask(ctx, &wg, info)
		}
		select {
		case <-ctx.Done():
			return found, nil
		case <-enough:
			return found, nil
		case <-more:
		case <-again.C:
			for _, id := range s.failed {
				delete(s.asked, id)
			}
			s.failed = nil
		case a := <-s.answers:
			switch {
			case a.err == nil:
				found = append(found, a.info)
				if enough == nil {
					enough = time.After(searchMore)
				}
			case !errors.Is(a.err, code.ErrUnknown):
				n.log.Debug("neighbour not asked for a code", "peer", a.info.ID, "error", a.err)
				s.failed = append(s.failed, a.info.ID)
			}
		}
	}
}

// survey is one search. It belongs to the goroutine that runs it.
type survey struct {
	network *network
	plate   int
	asked   map[peer.ID]bool
	failed  []peer.ID // did not answer: they are asked again at the next tick
	answers chan answered
	slots   chan struct{}
}

// answered is what a node said; a nil error means that the code is its own.
type answered struct {
	info peer.AddrInfo
	err  error
}

// ask asks one node, unless that was done.
func (s *survey) ask(ctx context.Context, wg *sync.WaitGroup, info peer.AddrInfo) {
	info.Addrs = find.Near(info.Addrs, find.Subnets())
	if s.asked[info.ID] || len(info.Addrs) == 0 || info.ID == s.network.host.ID() {
		return
	}
	s.asked[info.ID] = true
	wg.Go(func() {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-s.slots }()
		one, cancel := context.WithTimeout(ctx, askOneFor)
		defer cancel()
		err := join.Look(one, join.OverHost(s.network.host), info, s.plate)
		select {
		case s.answers <- answered{info, err}:
		case <-ctx.Done():
		}
	})
}

// nodeAt finds out which node listens at an address: HOST:PORT or a multiaddr, with
// its peer id or without. Who that is, is for the exchange to prove.
func (n *network) nodeAt(ctx context.Context, at string) (peer.AddrInfo, error) {
	addr, err := addressOf(ctx, at)
	if err != nil {
		return peer.AddrInfo{}, op.Errorf(op.Invalid, "%q is no address of a node", at).
			WithHint("give HOST:PORT, as `claudemesh invite --code` shows it, or a multiaddr")
	}
	transport, id := peer.SplitAddr(addr)
	if id != "" && transport != nil {
		return peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{transport}}, nil
	}
	nobody, err := nobodysID()
	if err != nil {
		return peer.AddrInfo{}, err
	}
	// The dial fails, as nobody has that id, and says who is there instead.
	ctx, cancel := context.WithTimeout(ctx, askOneFor)
	defer cancel()
	err = n.host.LibP2P().Connect(ctx, peer.AddrInfo{ID: nobody, Addrs: []ma.Multiaddr{addr}})
	var other sec.ErrPeerIDMismatch
	if !errors.As(err, &other) {
		return peer.AddrInfo{}, op.Errorf(op.Offline, "no node answers at %s: %w", at, errors.Join(join.ErrUnreachable, err)).
			WithHint("check the address; the inviter's node must be running")
	}
	return peer.AddrInfo{ID: other.Actual, Addrs: []ma.Multiaddr{addr}}, nil
}

// addressOf reads HOST:PORT or a multiaddr.
func addressOf(ctx context.Context, at string) (ma.Multiaddr, error) {
	if strings.HasPrefix(at, "/") {
		return ma.NewMultiaddr(at)
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil || len(ips) == 0 {
		return nil, errors.Join(errors.New("no such host"), err)
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return nil, err
	}
	return manet.FromNetAddr(&net.TCPAddr{IP: ips[0].IP, Port: number, Zone: ips[0].Zone})
}

// nobodysID is a peer id of which nobody has the key any more.
func nobodysID() (peer.ID, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return "", err
	}
	return peer.IDFromPrivateKey(key)
}
