package find

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	dialTimeout = 30 * time.Second
	backoffMax  = time.Minute
	backoffSoon = 10 * time.Second      // for a peer whose connection was lost a short time ago
	soon        = 5 * time.Minute       // so long ago
	yield       = 30 * time.Millisecond // how long the higher peer id waits for the lower
	brief       = 5 * time.Second       // a shorter connection counts as a failure
	hintTries   = 4                     // for a peer found on the LAN
	hintPause   = 10 * time.Minute      // until it is tried again
	maxHints    = 1024
	dialLeast   = 250 * time.Millisecond // what a dial is given before news ends it
	lanRetry    = time.Minute
	parallel    = 16
)

// ErrConfig: New was given something it cannot work with.
var ErrConfig = errors.New("find: bad configuration")

// Host is what dials; *host.Host is one.
type Host interface {
	ID() peer.ID
	// Connect dials info's addresses and waits for the handshake to end.
	Connect(ctx context.Context, info peer.AddrInfo) error
	Connected(p peer.ID) bool
	// Changed is closed when next a connection comes or goes, NetworkChanged when our own addresses
	// change.
	Changed() <-chan struct{}
	NetworkChanged() <-chan struct{}
}

// Config is what a Finder is built from.
type Config struct {
	Host     Host                  // required
	LAN      LAN                   // finds peers on the local network; nil: nobody does
	Subnets  func() []netip.Prefix // this machine's; nil: Subnets
	Parallel int                   // peers dialled at once; 0: 16
	Log      *slog.Logger          // required
}

// Finder keeps this node connected. Its methods may be called from any goroutine, also before Run.
type Finder struct {
	cfg  Config
	wake chan struct{} // a token: look again

	mu    sync.Mutex // guards peers
	peers map[peer.ID]*candidate
}

// candidate is a peer that is to be connected, or has turned up. Finder.mu guards it.
type candidate struct {
	keep    bool // a wanted one; else a hint
	addrs   []ma.Multiaddr
	due     time.Time // when to dial; zero: not before a new hint
	tried   time.Time // when it was last dialled
	fails   int
	dialing bool
	again   bool      // there was news while dialling
	begun   time.Time // when the dial under way began
	stop    func()    // ends it
	since   time.Time // when it was last connected by us; zero: it is not
	gone    time.Time // when a connection that had lasted was lost
}

// New returns a finder that does nothing before Run.
func New(cfg Config) (*Finder, error) {
	if cfg.Host == nil || cfg.Log == nil {
		return nil, ErrConfig
	}
	if cfg.Subnets == nil {
		cfg.Subnets = Subnets
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = parallel
	}
	return &Finder{cfg: cfg, wake: make(chan struct{}, 1), peers: map[peer.ID]*candidate{}}, nil
}

// Want keeps p connected from now on. addrs join what is known of it, before older ones; if one is new
// it is tried at once. Without addrs the ones that libp2p may know are tried.
func (f *Finder) Want(p peer.ID, addrs ...ma.Multiaddr) {
	if p == f.cfg.Host.ID() {
		return
	}
	f.mu.Lock()
	c := f.peers[p]
	if c == nil {
		c = &candidate{}
		f.peers[p] = c
	}
	var news bool
	c.addrs, news = merge(c.addrs, dialable(addrs))
	if news || !c.keep {
		f.retry(p, c)
	}
	c.keep = true
	f.mu.Unlock()
	f.poke()
}

// Forget stops keeping p connected. A connection there is stays.
func (f *Finder) Forget(p peer.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.peers, p)
}

// Hint says that info turned up on the local network.
func (f *Finder) Hint(info peer.AddrInfo) {
	near := Near(info.Addrs, f.cfg.Subnets())
	if info.ID == f.cfg.Host.ID() || len(near) == 0 {
		return
	}
	f.mu.Lock()
	c := f.peers[info.ID]
	if c == nil {
		if len(f.peers) >= maxHints && !f.evict() {
			f.mu.Unlock()
			return
		}
		c = &candidate{}
		f.peers[info.ID] = c
	}
	var news bool
	c.addrs, news = merge(c.addrs, near)
	if news || c.due.IsZero() && time.Since(c.tried) >= hintPause {
		f.retry(info.ID, c)
	}
	f.mu.Unlock()
	f.poke()
}

// evict needs mu: it forgets one hint.
func (f *Finder) evict() bool {
	for p, c := range f.peers {
		if !c.keep && !c.dialing {
			delete(f.peers, p)
			return true
		}
	}
	return false
}

// Wake tries every peer that is not connected at once: a mesh was joined, the machine has woken up.
func (f *Finder) Wake() {
	f.mu.Lock()
	for p, c := range f.peers {
		f.retry(p, c)
	}
	f.mu.Unlock()
	f.poke()
}

// retry needs mu: something is new about p, so it is dialled at once, or after the dial that runs.
func (f *Finder) retry(p peer.ID, c *candidate) {
	c.due, c.fails, c.again = time.Now(), 0, c.dialing
	if f.cfg.Host.ID() > p {
		c.due = c.due.Add(yield)
	}
}

func (f *Finder) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run dials until ctx ends, and waits for its dials.
func (f *Finder) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	lan := f.startLAN(false)
	defer func() { lan.Close() }()
	slots := make(chan struct{}, f.cfg.Parallel)
	for {
		changed, moved := f.cfg.Host.Changed(), f.cfg.Host.NetworkChanged()
		next := f.step(ctx, &wg, slots)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-f.wake:
		case <-changed:
		case <-moved:
			f.cfg.Log.Debug("network changed")
			lan.Close()
			lan = f.startLAN(lan.failed)
			f.Wake()
		}
		timer.Stop()
		if lan.failed && time.Since(lan.at) >= lanRetry {
			lan = f.startLAN(true)
		}
	}
}

// lan is LAN discovery at work, or not.
type lanState struct {
	io.Closer
	failed bool
	at     time.Time
}

// Close ends discovery; errors are of no consequence.
func (l lanState) Close() {
	if l.Closer != nil {
		l.Closer.Close()
	}
}

// startLAN begins discovery. That it does not work is worth a line once: a machine may be offline for
// days.
func (f *Finder) startLAN(failed bool) lanState {
	l := lanState{at: time.Now()}
	if f.cfg.LAN == nil {
		return l
	}
	var err error
	if l.Closer, err = f.cfg.LAN(f.Hint); err != nil {
		if !failed {
			f.cfg.Log.Info("peers on the local network are not looked for", "err", err)
		}
		l.Closer, l.failed = nil, true
	}
	return l
}

// step starts the dials that are due and returns how long there is nothing to do.
func (f *Finder) step(ctx context.Context, wg *sync.WaitGroup, slots chan struct{}) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	next := lanRetry
	for p, c := range f.peers {
		if c.dialing {
			next = min(next, f.hurry(p, c, now))
			continue
		}
		if f.cfg.Host.Connected(p) {
			if c.since.IsZero() {
				c.since = now
			}
			if wait := brief - now.Sub(c.since); wait <= 0 {
				c.fails = 0
			}
			continue
		}
		c.lost(now)
		if c.due.IsZero() {
			continue
		}
		if wait := c.due.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			return next // a dial that ends wakes us
		}
		ctx, stop := context.WithTimeout(ctx, dialTimeout)
		c.dialing, c.begun, c.stop = true, now, stop
		info := peer.AddrInfo{ID: p, Addrs: append([]ma.Multiaddr(nil), c.addrs...)}
		wg.Go(func() {
			defer stop()
			f.dial(ctx, info)
			<-slots
			f.poke()
		})
	}
	return next
}

// hurry ends a dial that goes on while there is news: at addresses that lead nowhere it can take long.
// One that has come to a connection goes on. It returns how long there is nothing to do.
func (f *Finder) hurry(p peer.ID, c *candidate, now time.Time) time.Duration {
	if !c.again || f.cfg.Host.Connected(p) {
		return lanRetry
	}
	wait := dialLeast - now.Sub(c.begun)
	if wait <= 0 {
		c.stop()
		return lanRetry
	}
	return wait
}

// lost notes the end of a connection: a wanted peer is dialled again, at once if it lasted.
func (c *candidate) lost(now time.Time) {
	if c.since.IsZero() {
		return
	}
	if now.Sub(c.since) < brief {
		c.fails++
	} else {
		c.fails, c.gone = 0, now
	}
	c.since = time.Time{}
	if c.keep {
		c.due = now.Add(backoff(c.fails))
	}
}

func (f *Finder) dial(ctx context.Context, info peer.AddrInfo) {
	err := f.cfg.Host.Connect(ctx, info)
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.peers[info.ID]
	if c == nil {
		return
	}
	again, now := c.again, time.Now()
	c.dialing, c.again = false, false
	switch {
	case err == nil:
		c.since, c.due = now, now
	case again:
		c.due = now
	default:
		c.fails++
		c.due = now.Add(c.pause(now))
		f.cfg.Log.Debug("dial failed", "peer", info.ID, "fails", c.fails, "err", err)
	}
	c.tried = now
	if !c.keep && !again && (err == nil || c.fails >= hintTries) {
		c.due = time.Time{}
	}
}

// pause is how long to wait after a dial that failed. Who was connected a moment ago may well be back
// in a moment, and then nothing else tells of it: a network that lost packets changes no address.
func (c *candidate) pause(now time.Time) time.Duration {
	d := backoff(c.fails)
	if !c.gone.IsZero() && now.Sub(c.gone) < soon {
		d = min(d, backoffSoon)
	}
	return d
}

// backoff is nothing before the first failure, then 1, 2, 4 … 60 seconds, give or take a quarter.
func backoff(fails int) time.Duration {
	if fails <= 0 {
		return rand.N(250 * time.Millisecond)
	}
	d := min(time.Second<<min(fails-1, 10), backoffMax)
	return d*3/4 + rand.N(d/2)
}
