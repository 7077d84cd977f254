package capture

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Tap is a running capture. Stop must be called.
type Tap struct {
	fd   int
	done chan struct{}
	wg   sync.WaitGroup
	got  bytes.Buffer // the reader's until it has ended
	end  sync.Once
	lost error
}

// buffer is what the kernel keeps until it is read.
const buffer = 32 << 20

// Start captures what passes over one interface of the calling thread's network, or
// over all of them if index is 0.
func Start(index int) (*Tap, error) {
	const all = 0x0300 // ETH_P_ALL in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("capture packets: %w", err), unix.Close(fd))
	}
	t := &Tap{fd: fd, done: make(chan struct{})}
	t.wg.Go(t.read)
	return t, nil
}

// read gathers packets until Stop, those that wait then included.
func (t *Tap) read() {
	packet := make([]byte, 1<<17)
	for stopped := false; ; {
		flags := 0
		select {
		case <-t.done:
			stopped, flags = true, unix.MSG_DONTWAIT
		default:
		}
		n, _, err := unix.Recvfrom(t.fd, packet, flags)
		if err == nil {
			t.got.Write(packet[:n])
		} else if stopped {
			return
		}
	}
}

// Stop ends the capture and returns what passed. It fails if packets were missed: then
// nothing was shown. It may be called more than once.
func (t *Tap) Stop() ([]byte, error) {
	t.end.Do(func() {
		close(t.done)
		t.wg.Wait()
		stats, err := unix.GetsockoptTpacketStats(t.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil && stats.Drops > 0 {
			err = fmt.Errorf("%d of %d packets were missed", stats.Drops, stats.Packets)
		}
		t.lost = errors.Join(err, unix.Close(t.fd))
	})
	return t.got.Bytes(), t.lost
}
