package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// greedy fills whatever it is given, as a fast sender does; slow gives a frame at a
// time.
type greedy struct {
	frame []byte
	slow  bool
}

func (g *greedy) Read(p []byte) (int, error) {
	if g.slow {
		return copy(p, g.frame), nil
	}
	for n := 0; n < len(p); n++ {
		p[n] = g.frame[0]
		g.frame = append(g.frame[1:], g.frame[0])
	}
	return len(p), nil
}

func (g *greedy) Write(p []byte) (int, error) { return len(p), nil }

func TestReadAheadFitsTheTraffic(t *testing.T) {
	frame := AppendFrame(nil, make([]byte, 1000))
	g := &greedy{frame: bytes.Clone(frame)}
	c := NewConn(g)
	read := func(n int) {
		t.Helper()
		for range n {
			if _, err := c.ReadFrame(MaxFrame); err != nil {
				t.Fatal(err)
			}
		}
	}
	read(2000)
	if n := len(c.r.buf); n != readMost {
		t.Errorf("%d bytes read ahead of a fast sender, want %d", n, readMost)
	}
	together := 0
	for c.Ready() {
		read(1)
	}
	for read(1); c.Ready(); together++ {
		read(1)
	}
	if together < readMost/1100 {
		t.Errorf("only %d frames at once", together)
	}
	for len(c.r.buffered()) > 0 { // to the end of a frame
		read(1)
		if len(c.r.buffered()) < len(frame) {
			break
		}
	}
	g.frame, g.slow = bytes.Clone(frame), true
	c.r.from = c.r.to
	read(10 * readCalm)
	if n := len(c.r.buf); n != readLeast {
		t.Errorf("%d bytes kept for a slow sender, want %d", n, readLeast)
	}
}

// chopped gives its bytes in pieces and then its error, with the last piece or
// after it.
type chopped struct {
	pieces [][]byte
	err    error
	early  bool
}

func (c *chopped) Read(p []byte) (int, error) {
	if len(c.pieces) == 0 {
		return 0, c.err
	}
	n := copy(p, c.pieces[0])
	if c.pieces[0] = c.pieces[0][n:]; len(c.pieces[0]) == 0 {
		c.pieces = c.pieces[1:]
	}
	if c.early && len(c.pieces) == 0 {
		err := c.err
		c.err = errors.New("the error came twice")
		return n, err
	}
	return n, nil
}

func TestReadAheadLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 0, 1<<17).Draw(t, "bytes")
		c := &chopped{err: errors.New("the end"), early: rapid.Bool().Draw(t, "early")}
		for rest := want; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			c.pieces, rest = append(c.pieces, rest[:n]), rest[n:]
		}
		end := c.err
		c.early = c.early && len(want) > 0
		a := &ahead{r: c}
		var got []byte
		for {
			if rapid.Bool().Draw(t, "byte") {
				b, err := a.ReadByte()
				if err != nil {
					check(t, err, end)
					break
				}
				got = append(got, b)
				continue
			}
			p := make([]byte, rapid.IntRange(1, 1<<16).Draw(t, "room"))
			n, err := io.ReadFull(a, p)
			got = append(got, p[:n]...)
			if err != nil {
				check(t, err, end)
				break
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes read, %d sent", len(got), len(want))
		}
	})
}

func check(t *rapid.T, got, want error) {
	if !errors.Is(got, want) {
		t.Fatalf("ended with %v, want %v", got, want)
	}
}
