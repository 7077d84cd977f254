package find

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// start runs a finder in a synctest bubble until the returned function is called.
func start(t *testing.T, h *fakeHost, c Config) (*Finder, func()) {
	t.Helper()
	c.Host, c.Log = h, slog.New(slog.DiscardHandler)
	c.Subnets = func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")} }
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	return f, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost()
		f, stop := start(t, h, Config{})
		defer stop()
		f.Want("a", somewhere)
		after(10 * time.Minute)
		if n := h.count("a"); n < 13 || n > 19 {
			t.Errorf("%d dials in 10 minutes", n)
		}
		for i := 1; i < len(h.log()); i++ {
			gap := h.log()[i].at.Sub(h.log()[i-1].at) - time.Second // a dial takes one
			want := min(time.Second<<(i-1), time.Minute)
			if gap < want*3/4 || gap > want*5/4 {
				t.Errorf("pause %d is %v instead of about %v", i, gap, want)
			}
		}
		was := h.count("a")
		f.Want("a", somewhere)
		after(0)
		if h.count("a") != was {
			t.Error("dialled at once though nothing was new")
		}
		f.Want("a", addr("/ip4/10.0.0.8/tcp/1"))
		after(yield)
		if h.count("a") != was+1 {
			t.Error("not dialled at once at a new address")
		}
		log := h.log()
		last := log[len(log)-1]
		if len(last.addrs) != 2 || !last.addrs[0].Equal(addr("/ip4/10.0.0.8/tcp/1")) {
			t.Errorf("dialled %v: not all at once, the newest first", last.addrs)
		}
		after(3 * time.Second)
		was = h.count("a")
		h.move()
		after(time.Second + yield) // a dial may be under way
		if h.count("a") == was {
			t.Error("not dialled at once after the network changed")
		}
		f.Forget("a")
		was = h.count("a")
		after(10 * time.Minute)
		if h.count("a") != was {
			t.Error("dialled though forgotten")
		}
	})
}

func TestKeepsConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost()
		h.up["a"] = true
		f, stop := start(t, h, Config{})
		defer stop()
		f.Want("a", somewhere)
		after(time.Hour)
		if n := h.count("a"); n != 1 {
			t.Fatalf("%d dials of a peer that stays", n)
		}
		h.lose("a")
		after(2 * time.Second)
		if n := h.count("a"); n != 2 || !h.Connected("a") {
			t.Fatalf("%d dials, connected %v after a loss", n, h.Connected("a"))
		}
		// A connection that ends at once again and again is no success.
		for range 5 {
			h.lose("a")
			after(100 * time.Millisecond)
			for !h.Connected("a") {
				after(100 * time.Millisecond)
			}
		}
		log := h.log()
		last := log[len(log)-1].at.Sub(log[len(log)-2].at)
		if last < 8*time.Second {
			t.Errorf("still dialling every %v", last)
		}
	})
}

// Who was connected until a moment ago is dialled often enough to be found again before others take it
// for gone, and as rarely as anybody after that.
func TestALostPeerIsSoonTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost()
		h.up["a"] = true
		f, stop := start(t, h, Config{})
		defer stop()
		f.Want("a", somewhere)
		after(time.Minute)
		h.mu.Lock()
		h.up["a"] = false
		h.mu.Unlock()
		h.lose("a")
		lost := time.Now()
		after(time.Hour)
		log := h.log()
		for i := 2; i < len(log); i++ {
			gap, most := log[i].at.Sub(log[i-1].at)-time.Second, backoffMax*5/4 // a dial takes one
			if log[i].at.Sub(lost) < soon {
				most = backoffSoon
			}
			if gap > most {
				t.Errorf("%v after the loss, %v between two dials", log[i].at.Sub(lost), gap)
			}
		}
		if last := log[len(log)-1].at.Sub(log[len(log)-2].at); last < backoffMax/2 {
			t.Errorf("still dialled every %v an hour after the loss", last)
		}
	})
}

func TestOneDialEachBoundedInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost()
		f, stop := start(t, h, Config{Parallel: 4})
		defer stop()
		for i := range 30 {
			f.Want(peer.ID(fmt.Sprint("p", i)), somewhere)
		}
		for i := range 100 {
			f.Want("p0", addr(fmt.Sprintf("/ip4/10.0.0.7/tcp/%d", i+1)))
			f.Wake()
			after(50 * time.Millisecond)
		}
		after(time.Minute)
		if h.peak != 4 {
			t.Errorf("%d dials at once", h.peak)
		}
		for p, n := range h.most {
			if n > 1 {
				t.Errorf("%s dialled %d times at once", p, n)
			}
		}
		if len(h.most) != 30 {
			t.Errorf("%d of 30 peers dialled", len(h.most))
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.peers["p0"].addrs); n != MaxAddrs {
			t.Errorf("%d addresses kept", n)
		}
	})
}

// A dial at addresses that lead nowhere can take long; what turns up meanwhile does not wait for it.
func TestNewsEndsADial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost() // a dial takes a second
		f, stop := start(t, h, Config{})
		defer stop()
		begun := time.Now()
		f.Want("z", somewhere)
		after(10 * time.Millisecond)
		f.Want("z", addr("/ip4/10.0.0.8/tcp/1"))
		after(dialLeast)
		log := h.log()
		if len(log) != 2 || log[1].at.Sub(begun) != dialLeast || !log[1].addrs[0].Equal(addr("/ip4/10.0.0.8/tcp/1")) {
			t.Fatalf("dialled %+v", log)
		}
		after(500 * time.Millisecond)
		f.Want("z", addr("/ip4/10.0.0.9/tcp/1"))
		after(0)
		if n := h.count("z"); n != 3 {
			t.Errorf("%d dials: not at once though the second went on for longer", n)
		}
		h.mu.Lock()
		h.connected["z"] = true // the handshake goes on
		h.mu.Unlock()
		f.Want("z", addr("/ip4/10.0.0.10/tcp/1"))
		after(dialLeast)
		if n := h.count("z"); n != 3 {
			t.Errorf("%d dials of one that is connected", n)
		}
	})
}

func TestYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost()
		f, stop := start(t, h, Config{})
		defer stop()
		begun := time.Now()
		f.Want("a", somewhere) // lower than ours
		f.Want("z", somewhere) // higher
		after(time.Second)
		for _, d := range h.log() {
			if wait := d.at.Sub(begun); d.peer == "z" && wait != 0 || d.peer == "a" && wait != yield {
				t.Errorf("%s dialled after %v", d.peer, wait)
			}
		}
	})
}

func TestHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost()
		h.up["a"] = true
		lan := &fakeLAN{}
		_, stop := start(t, h, Config{LAN: lan.start})
		after(0)
		hint := peer.AddrInfo{ID: "a", Addrs: []ma.Multiaddr{
			addr("/ip4/127.0.0.1/tcp/1"), addr("/ip4/192.168.7.7/tcp/1"), somewhere,
		}}
		lan.found(hint)
		after(2 * time.Second)
		if !h.Connected("a") || h.count("a") != 1 {
			t.Fatalf("%d dials, connected %v", h.count("a"), h.Connected("a"))
		}
		if got := h.log()[0].addrs; len(got) != 1 || !got[0].Equal(somewhere) {
			t.Errorf("dialled %v", got)
		}
		// It leaves, being nothing to us: it is not dialled again for a while, however often it turns up.
		h.lose("a")
		for range 9 {
			after(time.Minute)
			lan.found(hint)
		}
		if h.count("a") != 1 {
			t.Errorf("%d dials", h.count("a"))
		}
		after(2 * time.Minute)
		lan.found(hint)
		after(2 * time.Second)
		if h.count("a") != 2 {
			t.Errorf("%d dials after ten minutes", h.count("a"))
		}
		// One that cannot be reached is given up.
		lan.found(peer.AddrInfo{ID: "b", Addrs: []ma.Multiaddr{somewhere}})
		lan.found(peer.AddrInfo{ID: "far", Addrs: []ma.Multiaddr{addr("/ip4/192.168.7.7/tcp/1")}})
		after(5 * time.Minute)
		if h.count("b") != hintTries || h.count("far") != 0 {
			t.Errorf("%d and %d dials", h.count("b"), h.count("far"))
		}
		h.move()
		after(time.Second)
		stop()
		if lan.opened != 2 || lan.closed != 2 {
			t.Errorf("opened %d, closed %d", lan.opened, lan.closed)
		}
	})
}

func TestLANComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, lan := newFakeHost(), &fakeLAN{fail: true}
		_, stop := start(t, h, Config{LAN: lan.start})
		defer stop()
		after(time.Second)
		lan.mu.Lock()
		lan.fail = false
		lan.mu.Unlock()
		after(2 * time.Minute)
		if lan.opened != 1 {
			t.Errorf("opened %d times", lan.opened)
		}
	})
}

func TestManyHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost()
		f, stop := start(t, h, Config{})
		defer stop()
		f.Want("kept", somewhere)
		for i := range 3 * maxHints {
			f.Hint(peer.AddrInfo{ID: peer.ID(fmt.Sprint("h", i)), Addrs: []ma.Multiaddr{somewhere}})
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.peers) > maxHints || f.peers["kept"] == nil {
			t.Errorf("%d peers, kept %v", len(f.peers), f.peers["kept"])
		}
	})
}

func TestAddresses(t *testing.T) {
	own := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/64")}
	near := []string{"/ip4/10.1.2.3/tcp/1", "/ip4/10.1.2.3/udp/1/quic-v1", "/ip6/2001:db8::7/tcp/1"}
	far := []string{
		"/ip4/127.0.0.1/tcp/1", "/ip4/10.2.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1",
		"/ip4/8.8.8.8/tcp/1", "/dns4/example.org/tcp/1",
		"/ip4/10.1.2.3/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit",
	}
	var all []ma.Multiaddr
	for _, s := range slices.Concat(far, near) {
		all = append(all, addr(s))
	}
	var got []string
	for _, a := range Near(all, own) {
		got = append(got, a.String())
	}
	if !slices.Equal(got, near) {
		t.Errorf("near: %v", got)
	}
	if got := dialable([]ma.Multiaddr{addr("/ip4/127.0.0.1/tcp/1"), addr("/ip4/0.0.0.0/tcp/1"), addr("/ip4/10.0.0.1/tcp/0")}); len(got) != 1 {
		t.Errorf("only loopback: %v", got)
	}
	if got := dialable(all); len(got) != len(all)-2 {
		t.Errorf("dialable: %v", got)
	}
	if _, err := New(Config{}); !errors.Is(err, ErrConfig) {
		t.Errorf("empty config: %v", err)
	}
}
