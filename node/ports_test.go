package node

import (
	"net"
	"testing"
)

func TestPortOf(t *testing.T) {
	for _, c := range []struct{ configured, actual, port string }{
		{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/4001", "4001"},
		{"/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/udp/7/quic-v1", "7"},
		{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.2/tcp/4001", ""},
		{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/4001/quic-v1", ""},
		{"/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/tcp/4001", ""},
	} {
		got, ok := portOf(c.configured, c.actual)
		if got != c.port || ok != (c.port != "") {
			t.Errorf("%s as %s: %q, %v", c.configured, c.actual, got, ok)
		}
		if ok && withPort(c.configured, got) != c.actual {
			t.Errorf("%s with %s is %s", c.configured, got, withPort(c.configured, got))
		}
	}
}

func TestATakenPortIsNotFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if isFree("/ip4/127.0.0.1/tcp/0", port) {
		t.Error("a listener's port counts as free")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !isFree("/ip4/127.0.0.1/tcp/0", port) {
		t.Error("a closed listener's port does not")
	}
}
