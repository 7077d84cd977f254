package find

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// fakeHost connects to those in up and takes a second for it.
type fakeHost struct {
	mu        sync.Mutex
	up        map[peer.ID]bool
	connected map[peer.ID]bool
	now, most map[peer.ID]int // dials under way of one peer, and the most there ever were
	all, peak int
	dials     []dialed
	changed   chan struct{}
	moved     chan struct{}
}

type dialed struct {
	at    time.Time
	peer  peer.ID
	addrs []ma.Multiaddr
}

func newFakeHost() *fakeHost {
	return &fakeHost{
		up: map[peer.ID]bool{}, connected: map[peer.ID]bool{}, now: map[peer.ID]int{}, most: map[peer.ID]int{},
		changed: make(chan struct{}), moved: make(chan struct{}),
	}
}

func (h *fakeHost) ID() peer.ID { return "m" }

func (h *fakeHost) Connect(ctx context.Context, info peer.AddrInfo) error {
	h.mu.Lock()
	h.dials = append(h.dials, dialed{time.Now(), info.ID, info.Addrs})
	h.now[info.ID]++
	h.all++
	h.most[info.ID] = max(h.most[info.ID], h.now[info.ID])
	h.peak = max(h.peak, h.all)
	h.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now[info.ID]--
	h.all--
	if ctx.Err() != nil || !h.up[info.ID] {
		return errors.New("unreachable")
	}
	h.set(info.ID, true)
	return nil
}

// set needs mu.
func (h *fakeHost) set(p peer.ID, connected bool) {
	h.connected[p] = connected
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *fakeHost) lose(p peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(p, false)
}

func (h *fakeHost) move() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.moved)
	h.moved = make(chan struct{})
}

func (h *fakeHost) Connected(p peer.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.connected[p]
}

func (h *fakeHost) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

func (h *fakeHost) NetworkChanged() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.moved
}

func (h *fakeHost) log() []dialed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.dials)
}

func (h *fakeHost) count(p peer.ID) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.dials {
		if d.peer == p {
			n++
		}
	}
	return n
}

func addr(s string) ma.Multiaddr { return ma.StringCast(s) }

var somewhere = addr("/ip4/10.0.0.7/tcp/4001")

// fakeLAN is discovery that finds what the test says.
type fakeLAN struct {
	mu     sync.Mutex
	found  func(peer.AddrInfo)
	opened int
	closed int
	fail   bool
}

func (l *fakeLAN) start(found func(peer.AddrInfo)) (io.Closer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail {
		return nil, errors.New("no network")
	}
	l.found = found
	l.opened++
	return l, nil
}

func (l *fakeLAN) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed++
	return nil
}
