package wire

import "io"

const (
	readLeast = 16 << 10  // bytes read ahead of the frame asked for
	readMost  = 256 << 10 // the same where more keeps coming
	readCalm  = 16        // reads in a row that would have fitted into less, before the buffer shrinks
)

// ahead reads ahead. Its buffer grows while the other side fills it, so that many
// small frames are here at once, and shrinks again: most streams say little.
type ahead struct {
	r        io.Reader
	buf      []byte
	from, to int // what is in buf
	calm     int
	err      error // came with the last bytes
}

// buffered is what has been read and not been taken.
func (a *ahead) buffered() []byte { return a.buf[a.from:a.to] }

// ReadByte implements io.ByteReader.
func (a *ahead) ReadByte() (byte, error) {
	if a.from == a.to {
		if err := a.fill(); err != nil {
			return 0, err
		}
	}
	b := a.buf[a.from]
	a.from++
	return b, nil
}

// Read implements io.Reader. What is larger than the buffer goes past it.
func (a *ahead) Read(p []byte) (int, error) {
	if a.from == a.to {
		if len(p) >= len(a.buf) && a.err == nil {
			var n int
			if n, a.err = a.r.Read(p); n > 0 {
				return n, nil // an error that came along is for the next read
			}
			return 0, a.err
		}
		if err := a.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.buffered())
	a.from += n
	return n, nil
}

// fill reads into the empty buffer. It waits for one byte at least.
func (a *ahead) fill() error {
	a.resize()
	a.from, a.to = 0, 0
	for range 100 { // a reader that gives nothing so often gives nothing ever
		if a.err != nil {
			return a.err
		}
		a.to, a.err = a.r.Read(a.buf)
		if a.to > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// resize fits the empty buffer to what the last reads brought.
func (a *ahead) resize() {
	switch have := len(a.buf); {
	case have == 0:
		a.buf = make([]byte, readLeast)
	case a.to == have && have < readMost:
		a.buf = make([]byte, 4*have)
		a.calm = 0
	case have > readLeast && a.to <= have/4:
		if a.calm++; a.calm >= readCalm {
			a.buf = make([]byte, have/4)
			a.calm = 0
		}
	default:
		a.calm = 0
	}
}
