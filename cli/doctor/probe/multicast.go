package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// group is where mDNS is spoken.
var group = net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}

// echoTime is how long a packet to the group may take to come back.
const echoTime = 1500 * time.Millisecond

// multicast sends a question to the group on each interface and waits for the first that
// comes back: the system gives a copy to whoever listens on the same machine. A filter
// that keeps mDNS out keeps the copy out, too.
func multicast(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, echoTime)
	defer cancel()
	all, err := interfaces()
	if err != nil {
		return err
	}
	found := make([]error, len(all))
	var asking sync.WaitGroup
	for n, i := range all {
		asking.Go(func() {
			if found[n] = echo(ctx, i); found[n] == nil {
				cancel() // one is enough
			}
		})
	}
	asking.Wait()
	if slices.Contains(found, nil) {
		return nil
	}
	return errors.Join(found...)
}

// place is an interface with one of its addresses.
type place struct {
	net.Interface
	addr net.IP
}

func interfaces() ([]place, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	const want = net.FlagUp | net.FlagMulticast
	var out []place
	for _, i := range all {
		addrs, err := i.Addrs()
		if i.Flags&want != want || i.Flags&net.FlagLoopback != 0 || err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				out = append(out, place{i, n.IP.To4()})
				break
			}
		}
	}
	if len(out) == 0 {
		return nil, errNoMulticast
	}
	return out, nil
}

// echo sends a question on one interface and waits until it comes back.
func echo(ctx context.Context, at place) error {
	in, err := net.ListenMulticastUDP("udp4", &at.Interface, &group)
	if err != nil {
		return fmt.Errorf("%s: listen to the group: %w", at.Name, err)
	}
	defer in.Close()
	stop := context.AfterFunc(ctx, func() { _ = in.SetReadDeadline(time.Unix(1, 0)) }) // it is closed soon, either way
	defer stop()
	out, err := net.ListenUDP("udp4", &net.UDPAddr{IP: at.addr})
	if err != nil {
		return fmt.Errorf("%s: %w", at.Name, err)
	}
	defer out.Close()
	asked := question()
	if _, err := out.WriteToUDP(asked, &group); err != nil {
		return fmt.Errorf("%s: send to the group: %w", at.Name, err)
	}
	buf := make([]byte, 9000)
	for {
		n, _, err := in.ReadFromUDP(buf)
		if err != nil {
			return fmt.Errorf("%s: what was sent to the group did not come back", at.Name)
		}
		if bytes.Equal(buf[:n], asked) {
			return nil
		}
	}
}

// question asks the group for a name that nobody has, so that nobody answers.
func question() []byte {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	q := []byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for _, label := range []string{fmt.Sprintf("claudemesh-doctor-%x", id), "local"} {
		q = append(append(q, byte(len(label))), label...)
	}
	const anyType, internet = 255, 1
	q = binary.BigEndian.AppendUint16(append(q, 0), anyType)
	return binary.BigEndian.AppendUint16(q, internet)
}
