package overlaytest

import (
	"errors"
	"net"
	"sync"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Forwarder passes TCP connections on to a target and can be told to hold or end them. It listens on
// loopback until the test ends.
type Forwarder struct {
	l      net.Listener
	target string
	wg     sync.WaitGroup

	mu     sync.Mutex    // guards all below
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

// Cut closes every connection and refuses new ones.
func (f *Forwarder) Cut() {
	f.set(func() {
		f.cut = true
		for c := range f.conns {
			c.Close()
		}
	})
}

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

// pass copies from a to b.
func (f *Forwarder) pass(a, b net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := a.Read(buf)
		f.waitThaw()
		if n > 0 {
			if _, failed := b.Write(buf[:n]); failed != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	b.Close()
	f.set(func() { delete(f.conns, a) })
	a.Close()
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
