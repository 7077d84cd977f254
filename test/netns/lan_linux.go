package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// LAN is a local network with a router, and the sink behind it. Machine n has the
// addresses 10.77.0.n and fd77::n, the router 10.77.0.254 and fd77::fe.
type LAN struct {
	router, sink *space
	machines     []*space
}

// Possible says what keeps networks of our own from being made here, or nil.
func Possible() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return errors.New("network namespaces need ip(8), of iproute2")
	}
	s, err := newSpace()
	if err != nil {
		return err
	}
	return s.close()
}

// New makes a network of machines, numbered from 1.
func New(machines int) (_ *LAN, err error) {
	l := &LAN{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.router, err = newSpace(); err != nil {
		return nil, err
	}
	if l.sink, err = newSpace(); err != nil {
		return nil, err
	}
	if err := l.route(); err != nil {
		return nil, err
	}
	for n := range machines {
		if err := l.plug(n + 1); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// route makes the router: a bridge to the machines, and the way out. On that link
// no packet needs a neighbour, and the system sends none by itself.
func (l *LAN) route() error {
	quiet := func(dev string) []string {
		return []string{"link set " + dev + " addrgenmode none", "link set " + dev + " arp off multicast off up"}
	}
	err := errors.Join(
		l.router.ip(
			"link add br0 type bridge mcast_snooping 0",
			"addr add 10.77.0.254/24 dev br0",
			"addr add fd77::fe/64 dev br0 nodad",
			"link set br0 up",
			"link add out type veth peer name in netns "+l.sink.path(),
		),
		l.sink.ip(quiet("in")...),
		l.router.ip(append(quiet("out"), "route add default dev out", "-6 route add default dev out")...),
	)
	return errors.Join(err, l.router.set("ipv4/ip_forward", "1"), l.router.set("ipv6/conf/all/forwarding", "1"))
}

// plug adds a machine.
func (l *LAN) plug(n int) error {
	m, err := newSpace()
	if err != nil {
		return err
	}
	l.machines = append(l.machines, m)
	port := fmt.Sprintf("port%d", n)
	err = l.router.ip(
		fmt.Sprintf("link add %s type veth peer name eth0 netns %s", port, m.path()),
		fmt.Sprintf("link set %s master br0 up", port),
	)
	if err != nil {
		return err
	}
	if err := m.ip("link set eth0 up"); err != nil {
		return err
	}
	return l.address(n, n)
}

// address gives machine n the addresses with the number last, instead of those it
// has, as a new lease would.
func (l *LAN) address(n, last int) error {
	return l.machines[n-1].ip(
		"addr flush dev eth0 scope global",
		fmt.Sprintf("addr add 10.77.0.%d/24 dev eth0", last),
		fmt.Sprintf("addr add fd77::%x/64 dev eth0 nodad", last),
		"route replace default via 10.77.0.254",
		"-6 route replace default via fd77::fe",
	)
}

// cut takes machine n off the network as a switch does that fails: its link stays
// up, and what is sent is gone without a word to either side.
func (l *LAN) cut(n int) error { return l.router.ip(fmt.Sprintf("link set port%d nomaster", n)) }

// mend brings it back.
func (l *LAN) mend(n int) error { return l.router.ip(fmt.Sprintf("link set port%d master br0", n)) }

// Enter puts the calling thread, and what it starts, on machine n.
func (l *LAN) Enter(n int) error { return l.machines[n-1].enter() }

// Leaked is how many packets have reached the sink.
func (l *LAN) Leaked() (packets uint64, err error) {
	err = l.sink.do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/dev")
		if err != nil {
			return err
		}
		packets, err = received(string(text), "in")
		return err
	})
	return packets, err
}

// received reads the number of packets that came in by an interface in the table of
// /proc/net/dev.
func received(table, name string) (uint64, error) {
	const column = 1 // of the numbers behind the name
	for line := range strings.Lines(table) {
		device, numbers, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(device) != name {
			continue
		}
		fields := strings.Fields(numbers)
		if len(fields) <= column {
			break
		}
		return strconv.ParseUint(fields[column], 10, 64)
	}
	return 0, fmt.Errorf("no packets of %s in %q", name, table)
}

// stray sends a packet from a machine to somebody far away: one over IPv4 and one
// over IPv6.
func (l *LAN) stray(n int) error {
	return l.machines[n-1].do(func() error {
		for _, to := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
			c, err := net.Dial("udp", to)
			if err != nil {
				return err
			}
			_, err = c.Write([]byte("x"))
			if err := errors.Join(err, c.Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close lets go of the network. It is there as long as a process is in it.
func (l *LAN) Close() error {
	var err error
	for _, s := range append(l.machines, l.router, l.sink) {
		if s != nil {
			err = errors.Join(err, s.close())
		}
	}
	return err
}
