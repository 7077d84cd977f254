package overlaytest

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Forwarder passes TCP connections on to a target and can be told to treat them badly. It listens on
// loopback until the test ends.
type Forwarder struct {
	l      net.Listener
	target string
	wg     sync.WaitGroup

	mu     sync.Mutex // guards all below
	delay  time.Duration
	loss   float64
	frozen chan struct{} // nil, or closed by Thaw
	cut    bool
	conns  map[net.Conn]struct{}
}

// NewForwarder forwards to the first TCP address of the node.
func NewForwarder(t testing.TB, to *Node) *Forwarder {
	t.Helper()
	f := &Forwarder{conns: map[net.Conn]struct{}{}}
	for _, a := range to.Info().Addrs {
		if na, err := manet.ToNetAddr(a); err == nil && na.Network() == "tcp" {
			f.target = na.String()
		}
	}
	if f.target == "" {
		t.Fatal("overlaytest: the node has no TCP address")
	}
	var err error
	if f.l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		f.l.Close()
		f.Thaw()
		f.Cut()
		f.wg.Wait()
	})
	return f
}

// Addr is the address to dial instead of the target's.
func (f *Forwarder) Addr() ma.Multiaddr {
	a, err := manet.FromNetAddr(f.l.Addr())
	if err != nil {
		panic(err) // a TCP listener has a TCP address
	}
	return a
}

// Delay makes every piece of data wait that long.
func (f *Forwarder) Delay(d time.Duration) { f.set(func() { f.delay = d }) }

// Loss makes each piece of data be late by 200 ms with probability p, as a lost segment would be.
func (f *Forwarder) Loss(p float64) { f.set(func() { f.loss = p }) }

// Freeze stops all data while connections stay up: to both ends the other is silent.
func (f *Forwarder) Freeze() {
	f.set(func() {
		if f.frozen == nil {
			f.frozen = make(chan struct{})
		}
	})
}

// Thaw undoes Freeze.
func (f *Forwarder) Thaw() {
	f.set(func() {
		if f.frozen != nil {
			close(f.frozen)
			f.frozen = nil
		}
	})
}

// Cut closes every connection and refuses new ones until Heal.
func (f *Forwarder) Cut() {
	f.set(func() {
		f.cut = true
		for c := range f.conns {
			c.Close()
		}
	})
}

// Heal undoes Cut.
func (f *Forwarder) Heal() { f.set(func() { f.cut = false }) }

func (f *Forwarder) set(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

func (f *Forwarder) accept() {
	for {
		a, err := f.l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		b, err := net.Dial("tcp", f.target)
		if err != nil || !f.add(a, b) {
			a.Close()
			if b != nil {
				b.Close()
			}
			continue
		}
		f.wg.Go(func() { f.pass(a, b) })
		f.wg.Go(func() { f.pass(b, a) })
	}
}

func (f *Forwarder) add(conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return false
	}
	for _, c := range conns {
		f.conns[c] = struct{}{}
	}
	return true
}

// pass copies from a to b. Delayed pieces queue up, so that a delay costs no throughput.
func (f *Forwarder) pass(a, b net.Conn) {
	type piece struct {
		data []byte
		at   time.Time
	}
	queue := make(chan piece, 1024)
	var wg sync.WaitGroup
	wg.Go(func() {
		for p := range queue {
			if d := time.Until(p.at); d > 0 {
				<-time.After(d)
			}
			f.waitThaw()
			if _, err := b.Write(p.data); err != nil {
				a.Close()
			}
		}
		b.Close()
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := a.Read(buf)
		if n > 0 {
			queue <- piece{append([]byte(nil), buf[:n]...), time.Now().Add(f.wait())}
		}
		if err != nil {
			break
		}
	}
	close(queue)
	wg.Wait()
	f.set(func() { delete(f.conns, a) })
	a.Close()
}

func (f *Forwarder) wait() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.delay
	if f.loss > 0 && rand.Float64() < f.loss {
		d += 200 * time.Millisecond
	}
	return d
}

func (f *Forwarder) waitThaw() {
	for {
		f.mu.Lock()
		frozen := f.frozen
		f.mu.Unlock()
		if frozen == nil {
			return
		}
		<-frozen
	}
}

// Addrs is Addr as a list.
func (f *Forwarder) Addrs() []ma.Multiaddr { return []ma.Multiaddr{f.Addr()} }

// Conns is how many connections have been forwarded and not ended.
func (f *Forwarder) Conns() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns) / 2
}
