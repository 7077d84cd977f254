package find_test

import (
	"log/slog"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/find"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/overlaytest"
)

var _ find.Host = (*host.Host)(nil)

// Real hosts: both look for each other at once, find back after a cut, and mDNS is not to be had on
// loopback.
func TestRealHosts(t *testing.T) {
	net := overlaytest.New(t, 2, overlaytest.Options{})
	for i, n := range net.Nodes {
		f, err := find.New(find.Config{Host: n.Host, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		overlaytest.Run(t, f.Run)
		other := net.Nodes[1-i].Info()
		f.Want(other.ID, other.Addrs...)
	}
	a, b := net.Nodes[0], net.Nodes[1]
	proved := func() bool { return a.HasProved(b) && b.HasProved(a) }
	overlaytest.Wait(t, "proof", proved)
	net.Cut(0, 1)
	overlaytest.Wait(t, "the cut", func() bool { return !a.HasProved(b) && !b.HasProved(a) })
	net.Heal(0, 1)
	overlaytest.Wait(t, "proof again", proved)
	if _, err := find.MDNS(a.LibP2P())(func(peer.AddrInfo) {}); err == nil {
		t.Error("mDNS on loopback")
	}
}
