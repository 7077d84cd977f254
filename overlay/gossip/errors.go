package gossip

import "errors"

var (
	// ErrTooLarge: a payload over MaxPayload.
	ErrTooLarge = errors.New("gossip: payload over 128 KiB")
	// ErrStopped: the router has ended.
	ErrStopped = errors.New("gossip: router has ended")
	// ErrNotProved: the peer is not, or no longer, proved in this mesh.
	ErrNotProved = errors.New("gossip: peer is not proved")
)
