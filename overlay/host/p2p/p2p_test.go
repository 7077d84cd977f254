package p2p

import (
	"fmt"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

func TestRank(t *testing.T) {
	delays := map[string]time.Duration{}
	var addrs []ma.Multiaddr
	for _, s := range []string{
		"/ip4/192.168.1.2/udp/1/quic-v1", "/ip4/192.168.1.2/tcp/1", "/ip4/127.0.0.1/tcp/1",
		"/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/udp/1/quic-v1",
	} {
		addrs = append(addrs, ma.StringCast(s))
	}
	for _, d := range rank(addrs) {
		delays[d.Addr.String()] = d.Delay
	}
	if len(delays) != len(addrs) {
		t.Fatalf("ranked %v", delays)
	}
	for s, want := range map[string]time.Duration{
		"/ip4/192.168.1.2/tcp/1":         0,
		"/ip4/127.0.0.1/tcp/1":           0,
		"/ip4/192.168.1.2/udp/1/quic-v1": lanQUICDelay,
		"/ip4/8.8.8.8/udp/1/quic-v1":     0,
	} {
		if delays[s] != want {
			t.Errorf("%s after %v", s, delays[s])
		}
	}
	if d := rank(addrs[:1]); d[0].Delay != 0 {
		t.Errorf("QUIC alone waits %v", d[0].Delay)
	}
}

func TestAnnounce(t *testing.T) {
	lo, lan := ma.StringCast("/ip4/127.0.0.1/tcp/1"), ma.StringCast("/ip4/10.0.0.1/tcp/1")
	for _, tc := range []struct {
		loopback bool
		in, out  []ma.Multiaddr
	}{
		{false, []ma.Multiaddr{lo, lan}, []ma.Multiaddr{lan}},
		{false, []ma.Multiaddr{lo}, []ma.Multiaddr{lo}},
		{true, []ma.Multiaddr{lo, lan}, []ma.Multiaddr{lo}},
	} {
		if got := announce(tc.loopback, tc.in); fmt.Sprint(got) != fmt.Sprint(tc.out) {
			t.Errorf("%v of %v", got, tc.in)
		}
	}
	if !LoopbackOnly([]ma.Multiaddr{lo}) || LoopbackOnly([]ma.Multiaddr{lo, lan}) || LoopbackOnly(AnyInterface()) {
		t.Error("LoopbackOnly")
	}
}

func TestAddressKey(t *testing.T) {
	same := [][2]string{
		{"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/udp/2/quic-v1"},
		{"/ip6/2001:db8::1/tcp/1", "/ip6/2001:db8::ffff/tcp/2"},
		{"/ip6/::ffff:1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1"},
	}
	for _, p := range same {
		if a, b := AddressKey(ma.StringCast(p[0])), AddressKey(ma.StringCast(p[1])); a != b {
			t.Errorf("%s and %s: %s, %s", p[0], p[1], a, b)
		}
	}
	if AddressKey(ma.StringCast("/ip4/1.2.3.4/tcp/1")) == AddressKey(ma.StringCast("/ip4/1.2.3.5/tcp/1")) {
		t.Error("two addresses are one")
	}
}

func TestBuckets(t *testing.T) {
	b := NewBuckets(0.001, 3)
	for i := range 5 {
		if b.Allow("a") != (i < 3) {
			t.Errorf("token %d", i)
		}
	}
	for i := range 3 * maxBuckets {
		if !b.Allow(fmt.Sprint(i)) {
			t.Fatal("a new key is refused")
		}
	}
	if len(b.m) > maxBuckets {
		t.Errorf("%d buckets", len(b.m))
	}
}
