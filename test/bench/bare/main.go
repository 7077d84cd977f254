// Command bare is a libp2p host and nothing else, the floor under a node: it
// listens on loopback, says so in a line, and ends with its stdin.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/libp2p/go-libp2p"
)

func main() {
	h, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"),
		libp2p.DisableRelay(), libp2p.DisableMetrics(),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is ours
	if h.Close() != nil {
		os.Exit(1)
	}
}
