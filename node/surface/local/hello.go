package local

// API is the version of this protocol. It rises when an answer changes in a way
// that older clients cannot read.
//
// History: 1, the first.
const API = 1

// Hello is what a node says of itself. It carries no secret.
type Hello struct {
	// API is the version of the protocol; the server fills it in.
	API     int    `json:"api"`
	Version string `json:"version"` // of the program
	PID     int    `json:"pid"`
	// Boot rises by one at every start of the node.
	Boot uint64 `json:"boot"`
	// Ready is true once operations are answered.
	Ready    bool  `json:"ready"`
	UptimeMS int64 `json:"uptime_ms"` // milliseconds since the start
	// TwinSeen is when another node that runs with a copy of this one's folder was
	// heard last, RFC 3339; empty: not lately.
	TwinSeen string `json:"twin_seen,omitempty"`
}
