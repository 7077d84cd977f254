package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/doctor/probe"
	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/op"
)

// otherPort is what to do about a port that cannot be had.
func otherPort() op.Phrase {
	return op.Word("end the program that has it, or choose another: `claudemesh config set node.listen :0` takes any that is free; then `claudemesh node down`")
}

// lookAtPorts looks whether the node listens where it should.
func lookAtPorts(ctx context.Context, x *exam) []Finding {
	h, err := x.health(ctx)
	if err != nil {
		return x.freePorts(err)
	}
	var out []Finding
	var actual []string
	for _, p := range h.Ports {
		if len(p.Actual) > 0 {
			actual = append(actual, p.Actual...)
			continue
		}
		out = append(out, warn("the node could not listen on %s%s", p.Wanted, x.reason(p.Wanted)).hint("%s", otherPort()))
	}
	if len(actual) == 0 {
		return append(out, fail("the node listens nowhere: nobody can reach it").hint("%s", otherPort()))
	}
	return append(out, pass("%s", strings.Join(actual, ", ")))
}

// reason says why an address cannot be listened on, if it cannot.
func (x *exam) reason(addr string) op.Phrase {
	switch err := x.System.Taken(addr); {
	case err == nil:
		return op.Phrase{}
	case probe.Listens(err):
		return op.Word(": the port is taken by another program")
	default:
		return op.Phrasef(": %v", err)
	}
}

// freePorts looks whether a node could listen where it would.
func (x *exam) freePorts(err error) []Finding {
	set, bad := x.Settings()
	if s, ok := x.node(x.ctx); bad != nil || !ok || s.err == nil {
		return noNode(err)
	}
	var out []Finding
	for _, addr := range set.Listen.Value {
		if why := x.reason(addr); why.String() != "" && !x.listens() {
			out = append(out, fail("a node cannot listen on %s%s (%s)", addr, why, op.Word(set.Listen.Source)).hint("%s", otherPort()))
		}
	}
	if len(out) == 0 {
		return noNode(err)
	}
	return out
}

// loopbackOnly tells whether the settings keep the node on this machine.
func (x *exam) loopbackOnly() bool {
	set, err := x.Settings()
	return err == nil && len(set.Listen.Value) > 0 && !slices.ContainsFunc(set.Listen.Value, func(addr string) bool {
		return !strings.HasPrefix(addr, "/ip4/127.") && !strings.HasPrefix(addr, "/ip6/::1/")
	})
}

func lookForRoute(_ context.Context, x *exam) []Finding {
	if x.loopbackOnly() {
		return one(skip("the settings keep the node on this machine"))
	}
	if err := x.System.Route(); err != nil {
		return one(warn("there is no default route: only nodes on the local network can be reached").
			hint("connect this machine to a network that leads on, if others are elsewhere"))
	}
	return one(pass("there is a way out of the local network"))
}

func lookAtLAN(ctx context.Context, x *exam) []Finding {
	set, err := x.Settings()
	switch {
	case err != nil:
		return one(skip("the settings cannot be read"))
	case !set.MDNS.Value:
		return one(skip("others are not looked for there, by the settings (%s)", op.Word(set.MDNS.Source)))
	case x.loopbackOnly():
		return one(skip("the settings keep the node on this machine"))
	}
	open := op.Word("let UDP port 5353 with the group 224.0.0.251 through the firewall; without it others are found by the addresses in an invite")
	blocked := x.System.Multicast(ctx)
	h, err := x.health(ctx)
	switch {
	case blocked != nil && (err != nil || h.LAN.Found == 0):
		return one(warn("mDNS is blocked, so that others on the local network are not found: %s", firstLine(blocked.Error())).hint("%s", open))
	case err == nil && h.LAN.State == health.LANFailed:
		return one(warn("the node does not look for others on the local network: %s", op.Word(h.LAN.Why)).hint("%s", open))
	case err == nil && h.LAN.State == health.LANOff:
		return one(warn("the running node does not look for others, and the settings say it should").
			hint("`claudemesh node down`; the next command starts it with them"))
	case err != nil:
		return one(pass("multicast comes through"))
	}
	return one(pass("multicast comes through; %s", count(h.LAN.Found, "node has turned up", "nodes have turned up")))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// count is a number with its noun.
func count(n int, one, many string) op.Phrase {
	if n == 1 {
		return op.Phrasef("%d %s", n, op.Word(one))
	}
	return op.Phrasef("%d %s", n, op.Word(many))
}

// list is phrases with commas between them.
func list(all []op.Phrase) op.Phrase {
	var out op.Phrase
	for i, p := range all {
		if out = op.Phrasef("%s, %s", out, p); i == 0 {
			out = p
		}
	}
	return out
}
