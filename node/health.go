package node

import (
	"os"

	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/feature/presence"
)

// facility shows the node to the health feature.
type facility struct{ n *Node }

// Self implements health.Node.
func (f facility) Self() health.ShowResponse {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	return health.ShowResponse{Peer: f.n.host.ID().String(), User: os.Geteuid(), Program: program}
}

// Network implements health.Node.
func (f facility) Network() ([]health.Port, health.LAN) {
	actual := f.n.host.LibP2P().Network().ListenAddresses()
	var ports []health.Port
	for _, wanted := range f.n.cfg.Listen {
		p := health.Port{Wanted: wanted, Actual: []string{}}
		for _, a := range actual {
			if _, same := portOf(wanted, a.String()); same || a.String() == wanted {
				p.Actual = append(p.Actual, a.String())
			}
		}
		ports = append(ports, p)
	}
	return ports, f.lan()
}

func (f facility) lan() health.LAN {
	switch {
	case !f.n.cfg.MDNS:
		return health.LAN{State: health.LANOff}
	case f.n.net.lan == nil:
		return health.LAN{State: health.LANLoopback}
	}
	found, err := f.n.net.lan.state()
	if err != nil {
		return health.LAN{State: health.LANFailed, Why: err.Error(), Found: found}
	}
	return health.LAN{State: health.LANOn, Found: found}
}

// Meshes implements health.Node.
func (f facility) Meshes() []health.Mesh {
	var out []health.Mesh
	for _, m := range f.n.meshes.All() {
		one := health.Mesh{ID: m.ID().String(), Slug: m.Slug(), Twin: f.n.presence.Twin(m.ID())}
		clocks := f.n.presence.Clocks(m.ID())
		if one.Clocks = len(clocks); one.Clocks > 0 {
			one.Offset = clocks[len(clocks)/2]
		}
		out = append(out, one)
	}
	return out
}

// Sessions implements health.Node.
func (f facility) Sessions() []health.Session {
	var out []health.Session
	for _, a := range f.n.presence.Agents() {
		s := health.Session{ID: a.ID, Name: a.Name, Agent: a.Kind, PID: a.PID, Attached: a.Attached, Mode: f.n.cfg.Mode}
		for _, m := range f.n.meshes.All() {
			for _, l := range f.n.presence.Locals(m.ID()) {
				if l.ID == a.ID {
					s.Mode = l.Mode
					s.Unconfirmed += f.unconfirmed(l)
				}
			}
		}
		out = append(out, s)
	}
	return out
}

func (f facility) unconfirmed(l presence.Local) int {
	_, n, err := f.n.messages.Counts(self(l))
	if err != nil {
		f.n.log.Warn("messages not counted", "mesh", l.Mesh, "error", err)
	}
	return n
}
