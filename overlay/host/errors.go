package host

import "errors"

// Building and starting.
var (
	// ErrConfig: New was given something it cannot work with.
	ErrConfig = errors.New("host: bad configuration")
	// ErrStopped: the host does not run (yet, or any more).
	ErrStopped = errors.New("host: not running")
)

// Reaching a peer and opening streams.
var (
	// ErrOffline: there is no connection to the peer.
	ErrOffline = errors.New("host: peer is not connected")
	// ErrNotProved: the peer is connected, but has not proved membership in that mesh.
	ErrNotProved = errors.New("host: peer has not proved membership in this mesh")
	// ErrRefused: the peer reset the stream: it does not hold us for a proved member. If that goes on
	// the handshake is run again by itself; trying later may work.
	ErrRefused = errors.New("host: peer refused the stream")
	// ErrBusy: the peer serves no more streams of ours now: try later.
	ErrBusy = errors.New("host: peer serves too many of our streams")
	// ErrUnsupported: the peer is a proved member but serves none of the inner protocols asked for.
	ErrUnsupported = errors.New("host: peer does not speak this protocol; it may run another version")
)

// Within the handshake; logged, never returned to callers outside.
var (
	errTag  = errors.New("host: unknown tag in the handshake")
	errLeft = errors.New("host: this node has left the mesh")
)
