package meshes

import (
	"strings"
	"testing"
)

func TestOnlyHere(t *testing.T) {
	for addrs, want := range map[string]bool{
		"/ip4/127.0.0.1/tcp/1 /ip6/::1/udp/1/quic-v1": true,
		"/ip4/127.0.0.1/tcp/1 /ip4/192.0.2.1/tcp/1":   false,
		"": true,
	} {
		if onlyHere(strings.Fields(addrs)) != want {
			t.Errorf("%q: %v", addrs, !want)
		}
	}
}
