package host

import (
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/claudemesh/claudemesh/overlay/host/p2p"
)

// Protocols a node shows to anybody. There are no others but libp2p's own identify and ping, and what
// HandleStranger adds.
const (
	ProtoHello protocol.ID = "/claudemesh/hello/1"
	ProtoMesh  protocol.ID = "/claudemesh/mesh/1"
)

// ProtoLog is the inner protocol of Mesh.Sync, the only one open before a peer is proved.
const ProtoLog = "log/1"

// Limits bound what others can make this node do. A zero field takes the default.
type Limits struct {
	// Hellos is how many handshakes of others run at once, 128; HelloBurst (256) and HelloRate (16)
	// are how many one remote address (IPv4 address, IPv6 /64) may begin at once and per second.
	Hellos     int
	HelloBurst int
	HelloRate  float64

	// Strangers is how many streams of strangers' protocols run at once, 32; StrangerBurst (20) and
	// StrangerPerMinute (10) are what one remote address may begin at once and per minute. Loopback is
	// an address like any other.
	Strangers         int
	StrangerBurst     int
	StrangerPerMinute float64

	// Waiting is how many mesh streams of one connection may stand before their header is read and
	// their peer proved, 64; StreamBurst (256) and StreamRate (64) are how many one peer may open at
	// once and per second.
	Waiting     int
	StreamBurst int
	StreamRate  float64

	// ConnsLow and ConnsHigh (256, 320): above the second, connections to peers that have proved
	// nothing are closed down to the first. ConnsPerAddress is how many connections one remote
	// address may hold, 64 (loopback is free).
	ConnsLow, ConnsHigh int
	ConnsPerAddress     int
}

// Time limits.
const (
	helloTimeout    = 10 * time.Second // a handshake, whole
	headerTimeout   = 10 * time.Second // a mesh stream until it is handed over
	syncTimeout     = 10 * time.Second // the log exchange before a peer is let in
	streamDeadline  = 30 * time.Second // what a handed over stream begins with
	strangerTimeout = time.Minute      // a stranger's stream, unless its handler sets another
	slowGreeting    = time.Second      // how long Connect leaves the handshake to whoever dialled
	pingTimeout     = 10 * time.Second
	doubtTimeout    = 2 * time.Second  // a ping of a connection that is probably dead
	machineEvery    = 2 * time.Second  // how often this machine's addresses and clock are looked at
	pauseLeast      = 30 * time.Second // between two such looks: the machine was asleep
)

const (
	linksPerMesh  = 4 // handshakes of one mesh on one connection that count; the oldest gives way
	maxLogStreams = 2 // log exchanges at once on one link
	maxRefusals   = 3 // refused streams in a row, over refusalsFor, before a link is doubted
	refusalsFor   = time.Second
	regreetEvery  = 15 * time.Second // between handshakes for that reason on one connection
)

func (l Limits) withDefaults() Limits {
	def(&l.Hellos, 128)
	def(&l.HelloBurst, 256)
	def(&l.HelloRate, 16)
	def(&l.Strangers, 32)
	def(&l.StrangerBurst, 20)
	def(&l.StrangerPerMinute, 10)
	def(&l.Waiting, 64)
	def(&l.StreamBurst, 256)
	def(&l.StreamRate, 64)
	def(&l.ConnsLow, 256)
	def(&l.ConnsHigh, 320)
	def(&l.ConnsPerAddress, 64)
	return l
}

func def[T ~int | ~int64 | ~float64](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// protoLimits are the streams of our protocols, of one peer and of all, per direction.
func protoLimits() map[protocol.ID]p2p.StreamLimit {
	return map[protocol.ID]p2p.StreamLimit{
		ProtoHello: {PerPeer: 8, All: 512},
		ProtoMesh:  {PerPeer: 192, All: 8192},
	}
}
