package mesh

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/join"
)

// direct reaches a home's admitter through a pipe.
type direct struct{ h *home }

func (d direct) Self() peer.ID { return d.h.peer }

func (d direct) Dial(context.Context, peer.AddrInfo) (join.Stream, error) {
	near, far := net.Pipe()
	if d.h.lose > 0 {
		d.h.lose--
		far = &deaf{Conn: far}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		join.Serve(context.Background(), d.h.admitter, d.h.peer, pipe{Conn: far, wait: func() {}}, slog.New(slog.DiscardHandler))
	}()
	return pipe{Conn: near, wait: sync.OnceFunc(func() { <-done })}, nil
}

// pipe is a stream over a net.Conn.
type pipe struct {
	net.Conn
	wait func()
}

// Reset implements join.Stream; it waits for the other end, which a reset ends.
func (p pipe) Reset() error {
	err := p.Close()
	p.wait()
	return err
}

// deaf breaks when its second long answer, the welcome, is written.
type deaf struct {
	net.Conn
	reads int
}

func (d *deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	d.reads++
	return n, err
}

func (d *deaf) Write(b []byte) (int, error) {
	if d.reads > 1 {
		return 0, errLost
	}
	return d.Conn.Write(b)
}
