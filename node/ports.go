package node

import (
	"context"
	"net"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/store"
)

// defaultListen is every interface on a free port, QUIC and TCP.
var defaultListen = []string{
	"/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0",
	"/ip6/::/udp/0/quic-v1", "/ip6/::/tcp/0",
}

// bucketPorts keeps the port that a free one became: configured address → port.
// Invites carry addresses, and others remember them: a node that moved to another
// port at each start would be lost to those it cannot reach first.
const bucketPorts = "port"

// steady replaces port 0 by the port of last time, where that is free.
func steady(db *store.DB, listen []string) ([]string, error) {
	out := make([]string, 0, len(listen))
	err := db.View(func(tx *store.Tx) error {
		kept := tx.Bucket(bucketPorts)
		for _, addr := range listen {
			if port := string(kept.Get([]byte(addr))); port != "" && isFree(addr, port) {
				addr = withPort(addr, port)
			}
			out = append(out, addr)
		}
		return nil
	})
	return out, err
}

// keepPorts remembers which ports free ones became.
func keepPorts(ctx context.Context, db *store.DB, listen []string, actual []ma.Multiaddr) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		kept := tx.Bucket(bucketPorts)
		for _, addr := range listen {
			for _, a := range actual {
				if port, ok := portOf(addr, a.String()); ok {
					if err := kept.Put([]byte(addr), []byte(port)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// freePort is how port 0 stands in an address: behind its protocol.
const freePort = "0"

// withPort puts a port in place of a free one.
func withPort(addr, port string) string {
	parts := strings.Split(addr, "/")
	for i := 1; i < len(parts); i++ {
		if (parts[i-1] == "tcp" || parts[i-1] == "udp") && parts[i] == freePort {
			parts[i] = port
		}
	}
	return strings.Join(parts, "/")
}

// portOf tells which port stands in actual where configured has a free one, if they
// are the same address otherwise.
func portOf(configured, actual string) (string, bool) {
	want, have := strings.Split(configured, "/"), strings.Split(actual, "/")
	if len(want) != len(have) {
		return "", false
	}
	port := ""
	for i := range want {
		switch {
		case want[i] == have[i]:
		case want[i] == freePort && i > 0 && (want[i-1] == "tcp" || want[i-1] == "udp"):
			port = have[i]
		default:
			return "", false
		}
	}
	return port, port != ""
}

// isFree tells whether nobody listens on a port, which is true for long enough: if
// somebody takes it in between, listening fails and the next start takes another.
func isFree(addr, port string) bool {
	parts := strings.Split(addr, "/")
	if len(parts) < 4 {
		return false
	}
	at := net.JoinHostPort(parts[2], port)
	if parts[3] == "udp" {
		c, err := net.ListenPacket("udp", at)
		return err == nil && c.Close() == nil
	}
	l, err := net.Listen("tcp", at)
	return err == nil && l.Close() == nil
}
