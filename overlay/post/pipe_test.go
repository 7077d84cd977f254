package post

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe is one end of an in-memory stream with the semantics of a libp2p stream:
// buffered, Close lets what was written arrive, Reset does not.
type pipe struct {
	in, out *half
	once    *sync.Once // of the first Reset, for both ends
	onReset func()
}

// half is one direction.
type half struct {
	mu       sync.Mutex
	cond     *sync.Cond
	buf      []byte
	max      int // the writer waits while more is buffered
	eof      bool
	broken   bool
	rdl, wdl deadline
}

type deadline struct {
	timer *time.Timer
	past  bool
}

func newPipe(max int) (a, b *pipe) {
	x, y := newHalf(max), newHalf(max)
	once := new(sync.Once)
	return &pipe{x, y, once, nil}, &pipe{y, x, once, nil}
}

func newHalf(max int) *half {
	h := &half{max: max}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (p *pipe) Read(b []byte) (int, error) {
	h := p.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.broken:
			return 0, net.ErrClosed
		case len(h.buf) > 0:
			n := copy(b, h.buf)
			h.buf = append(h.buf[:0], h.buf[n:]...)
			h.cond.Broadcast()
			return n, nil
		case h.eof:
			return 0, io.EOF
		case h.rdl.past:
			return 0, os.ErrDeadlineExceeded
		}
		h.cond.Wait()
	}
}

func (p *pipe) Write(b []byte) (int, error) {
	h := p.out
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.broken || h.eof:
			return 0, net.ErrClosed
		case len(h.buf) <= h.max:
			h.buf = append(h.buf, b...)
			h.cond.Broadcast()
			return len(b), nil
		case h.wdl.past:
			return 0, os.ErrDeadlineExceeded
		}
		h.cond.Wait()
	}
}

// Close ends both directions; what was written arrives, what would be read is dropped.
func (p *pipe) Close() error {
	p.out.change(func(h *half) { h.eof = true; h.stop() })
	p.in.change(func(h *half) { h.broken = true; h.stop() })
	return nil
}

func (p *pipe) Reset() error {
	p.out.change(func(h *half) { h.broken = true; h.stop() })
	p.in.change(func(h *half) { h.broken = true; h.stop() })
	if p.onReset != nil {
		p.once.Do(p.onReset)
	}
	return nil
}

func (p *pipe) SetReadDeadline(t time.Time) error {
	p.in.change(func(h *half) { h.rdl.set(h, t) })
	return nil
}

func (p *pipe) SetWriteDeadline(t time.Time) error {
	p.out.change(func(h *half) { h.wdl.set(h, t) })
	return nil
}

func (h *half) change(fn func(*half)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn(h)
	h.cond.Broadcast()
}

// stop needs mu: timers of an ended pipe would outlive a test.
func (h *half) stop() {
	for _, d := range []*deadline{&h.rdl, &h.wdl} {
		if d.timer != nil {
			d.timer.Stop()
		}
	}
}

func (d *deadline) set(h *half, t time.Time) {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.past = false
	d.timer = time.AfterFunc(time.Until(t), func() {
		h.change(func(*half) { d.past = true })
	})
}
