package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// MaxFrame is the largest frame any reader or writer may allow: 1 MiB.
	MaxFrame = 1 << 20

	readBuffer  = 16 << 10 // bytes read ahead of the frame asked for
	writeBuffer = 64 << 10 // bytes gathered before they are written without a Flush
	keepBuffer  = 16 << 10 // a larger write buffer is let go once less than this goes through it
	maxPrefix   = 4        // bytes of a uvarint up to MaxFrame, and one to spare
)

// Conn reads and writes frames over a stream. One goroutine may read while others write; writers
// may be concurrent, and a frame is never torn by another. It does not own the stream: closing and
// deadlines stay with whoever does.
//
// Written frames are gathered. The writer calls Flush when its queue is empty, so that a burst costs
// one write and a single frame is never held back.
type Conn struct {
	r *bufio.Reader

	mu  sync.Mutex // guards w, buf, err
	w   io.Writer
	buf []byte
	err error // the first failed write; every later one returns it
}

// NewConn returns a Conn over rw. Bytes that Conn has read ahead are lost to other readers of rw.
func NewConn(rw io.ReadWriter) *Conn {
	return &Conn{r: bufio.NewReaderSize(rw, readBuffer), w: rw}
}

// ReadFrame returns the next frame's payload, at most max bytes of it; the slice is the caller's.
// A longer one gives ErrTooLarge before anything is allocated for it. The end of the stream between
// two frames is io.EOF, within one io.ErrUnexpectedEOF. After any error the Conn is of no more use.
func (c *Conn) ReadFrame(max int) ([]byte, error) {
	n, err := readLength(c.r)
	if err != nil {
		return nil, err
	}
	return readPayload(c.r, n, max)
}

// WriteFrame adds a frame, which goes out with the next Flush or when 64 KiB have gathered. The
// payload is copied. A payload over MaxFrame gives ErrTooLarge and writes nothing.
func (c *Conn) WriteFrame(p []byte) error {
	if len(p) > MaxFrame {
		return fmt.Errorf("%w: %d bytes, at most %d allowed", ErrTooLarge, len(p), MaxFrame)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.buf = AppendFrame(c.buf, p)
	if len(c.buf) >= writeBuffer {
		return c.flush()
	}
	return nil
}

// Flush writes out what has gathered.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flush()
}

// Send is WriteFrame and Flush.
func (c *Conn) Send(p []byte) error {
	if err := c.WriteFrame(p); err != nil {
		return err
	}
	return c.Flush()
}

// flush needs mu. The write happens under it: that is what keeps frames whole and in order.
func (c *Conn) flush() error {
	if c.err != nil || len(c.buf) == 0 {
		return c.err
	}
	_, c.err = c.w.Write(c.buf)
	if len(c.buf) < keepBuffer && cap(c.buf) > keepBuffer {
		c.buf = nil // the burst is over
		return c.err
	}
	c.buf = c.buf[:0]
	return c.err
}

// ReadFrame reads one frame from r with no read-ahead, for the few frames that begin a stream whose
// rest belongs to somebody else. Limits and errors are those of Conn.ReadFrame.
func ReadFrame(r io.Reader, max int) ([]byte, error) {
	n, err := readLength(oneByte{r})
	if err != nil {
		return nil, err
	}
	return readPayload(r, n, max)
}

// AppendFrame appends p as a frame to dst.
func AppendFrame(dst, p []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(p)))
	return append(dst, p...)
}

type oneByte struct{ r io.Reader }

func (o oneByte) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(o.r, b[:])
	return b[0], err
}

func readPayload(r io.Reader, n uint64, max int) ([]byte, error) {
	max = clamp(max)
	if n > uint64(max) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d allowed", ErrTooLarge, n, max)
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(r, p); err != nil {
		return nil, noEOF(err)
	}
	return p, nil
}

// readLength reads a uvarint in its shortest form.
func readLength(r io.ByteReader) (uint64, error) {
	var n uint64
	for i := range maxPrefix {
		b, err := r.ReadByte()
		if err != nil {
			if i > 0 {
				err = noEOF(err)
			}
			return 0, err
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if i > 0 && b == 0 {
				return 0, ErrLength
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: over %d bytes", ErrTooLarge, MaxFrame)
}

// clamp brings a limit a caller named into what frames can be.
func clamp(limit int) int { return min(max(limit, 0), MaxFrame) }

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
