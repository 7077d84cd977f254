package node

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/node/feature/message"
)

// Config says what a node is and where it lives. Dir is needed; every other field
// has a sensible zero value.
type Config struct {
	// Dir is the user's claudemesh folder (0700). The node holds a lock in it.
	Dir string
	// Listen are multiaddresses to listen on; empty means every interface on a free
	// port, QUIC and TCP.
	Listen []string
	// MDNS has the node find others on the local network and be found.
	MDNS bool
	// PortMap asks the router for a port (UPnP, NAT-PMP).
	PortMap bool
	// DisplayName is the name wished for in new meshes; empty means user-host.
	DisplayName string
	// Mode is the message mode of sessions that name none: push (default), inbox, off.
	Mode string
	// Limits are those of messages; each that is zero is the default (docs/delivery.md).
	Limits message.Limits
	// SystemPolicy is the policy file of the machine's administrator; empty: the one of
	// the system.
	SystemPolicy string
	// Version is the program's version, told to local clients alone.
	Version string
	// Log gets one line per event; nil discards.
	Log *slog.Logger

	// Now and Mono are the wall and the monotonic clock; nil means the machine's.
	Now  func() time.Time
	Mono func() time.Duration
}

// GCPercent is what a process that runs a node sets with debug.SetGCPercent, unless
// its user says otherwise. A node's live heap is some megabytes, so that Go's default
// collects garbage all the time while messages flow: this takes a fifth off what a
// message costs, for some tens of megabytes then and none while the node is idle.
const GCPercent = 400

// MemoryLimit, in bytes, is what such a process sets with debug.SetMemoryLimit, unless
// its user says otherwise: past it garbage is collected more often, whatever GCPercent
// says, so that a flood by strangers is paid with time and not with memory.
const MemoryLimit = 128 << 20

// ErrConfig is the cause of every refused configuration.
var ErrConfig = errors.New("bad configuration")

// checked fills in defaults and checks the addresses.
func (c Config) checked() (Config, error) {
	if !filepath.IsAbs(c.Dir) {
		return c, fmt.Errorf("%w: the folder %q must be an absolute path", ErrConfig, c.Dir)
	}
	if len(c.Listen) == 0 {
		c.Listen = defaultListen
	}
	if _, err := parseAddrs(c.Listen); err != nil {
		return c, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = limited(c.Log, c.Now)
	if c.Mono == nil {
		start := time.Now()
		c.Mono = func() time.Duration { return time.Since(start) }
	}
	if c.Mode == "" {
		c.Mode = "push"
	}
	if c.DisplayName == "" {
		c.DisplayName = defaultName()
	}
	return c, nil
}

// parseAddrs reads multiaddresses.
func parseAddrs(list []string) ([]ma.Multiaddr, error) {
	out := make([]ma.Multiaddr, 0, len(list))
	for _, text := range list {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, fmt.Errorf("%w: listen address %q: %w", ErrConfig, text, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// defaultName is user-host, in characters that are easy to type.
func defaultName() string {
	user := os.Getenv("USER")
	if user == "" {
		user = os.Getenv("USERNAME")
	}
	if user == "" {
		user = "someone"
	}
	return plainName(user + "-" + hostName())
}

// hostName is this machine's name without its domain.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "computer"
	}
	for i, c := range name {
		if c == '.' && i > 0 {
			return name[:i]
		}
	}
	return name
}

// plainName keeps lower-case letters, digits and dashes.
func plainName(s string) string {
	out := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			out = append(out, c)
		}
	}
	const most = 40
	return string(out[:min(len(out), most)])
}
