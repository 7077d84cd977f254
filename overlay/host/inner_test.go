package host

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
		h := &Host{loopback: tc.loopback}
		if got := h.announce(tc.in); fmt.Sprint(got) != fmt.Sprint(tc.out) {
			t.Errorf("%v of %v", got, tc.in)
		}
	}
	if !loopbackOnly([]ma.Multiaddr{lo}) || loopbackOnly([]ma.Multiaddr{lo, lan}) || loopbackOnly(anyInterface()) {
		t.Error("loopbackOnly")
	}
}

func TestAddressKey(t *testing.T) {
	same := [][2]string{
		{"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/udp/2/quic-v1"},
		{"/ip6/2001:db8::1/tcp/1", "/ip6/2001:db8::ffff/tcp/2"},
		{"/ip6/::ffff:1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1"},
	}
	for _, p := range same {
		if a, b := addressKey(ma.StringCast(p[0])), addressKey(ma.StringCast(p[1])); a != b {
			t.Errorf("%s and %s: %s, %s", p[0], p[1], a, b)
		}
	}
	if addressKey(ma.StringCast("/ip4/1.2.3.4/tcp/1")) == addressKey(ma.StringCast("/ip4/1.2.3.5/tcp/1")) {
		t.Error("two addresses are one")
	}
}

func TestBuckets(t *testing.T) {
	b := newBuckets(0.001, 3)
	for i := range 5 {
		if b.allow("a") != (i < 3) {
			t.Errorf("token %d", i)
		}
	}
	for i := range 3 * maxBuckets {
		if !b.allow(fmt.Sprint(i)) {
			t.Fatal("a new key is refused")
		}
	}
	if len(b.m) > maxBuckets {
		t.Errorf("%d buckets", len(b.m))
	}
}

func TestBackoff(t *testing.T) {
	for failed, want := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 9: time.Minute, 99: time.Minute} {
		if d := backoff(failed); d < want*3/4 || d > want*5/4 {
			t.Errorf("after %d failures %v", failed, d)
		}
	}
}
