package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
)

// Ports come from below the range in which the system chooses those of outgoing
// connections, so that a node that was killed finds its own free when it returns.
const firstPort, lastPort = 20_000, 30_000

// port returns a port that is free for TCP and UDP on loopback and that no other
// home has, of this world or, on Linux, of any: a node that does not run just now must
// find it free again.
func (w *World) port() (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range 1000 {
		n := firstPort + rand.IntN(lastPort-firstPort)
		if !w.reserve(n) || !free(n) {
			continue
		}
		return n, nil
	}
	return 0, errors.New("no port is free on loopback")
}

// reserve tells whether a port is this world's alone. What other worlds see of that is
// the same port of another address of loopback, which only Linux has from the start. The
// caller holds mu.
func (w *World) reserve(port int) bool {
	if slices.Contains(w.ports, port) {
		return false
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return false
	}
	w.ports = append(w.ports, port)
	if err == nil {
		w.reserved = append(w.reserved, l)
	}
	return true
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
