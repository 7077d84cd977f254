package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
)

// Ports come from below the range in which the system chooses those of outgoing
// connections, so that a node that was killed finds its own free when it returns.
const firstPort, lastPort = 20_000, 30_000

// port returns a port that is free for TCP and UDP on loopback and that no other
// home of this world has.
func (w *World) port() (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range 1000 {
		n := firstPort + rand.IntN(lastPort-firstPort)
		if slices.Contains(w.ports, n) || !free(n) {
			continue
		}
		w.ports = append(w.ports, n)
		return n, nil
	}
	return 0, errors.New("no port is free on loopback")
}

func free(port int) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	return udp.Close() == nil
}
