package wire

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// pipe is a reader and a writer in one.
type pipe struct {
	io.Reader
	io.Writer
}

func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 20).Draw(t, "frames")
		var buf bytes.Buffer
		w := NewConn(pipe{Writer: &buf})
		for _, f := range frames {
			if err := w.WriteFrame(f); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "flush") {
				w.Flush()
			}
		}
		w.Flush()
		raw := bytes.NewReader(buf.Bytes())
		r := NewConn(pipe{Reader: iotest.HalfReader(bytes.NewReader(buf.Bytes()))})
		for i, f := range frames {
			got, err := r.ReadFrame(300)
			if err != nil || !bytes.Equal(got, f) {
				t.Fatalf("frame %d: %x, %v", i, got, err)
			}
			got, err = ReadFrame(raw, 300)
			if err != nil || !bytes.Equal(got, f) {
				t.Fatalf("frame %d, no read-ahead: %x, %v", i, got, err)
			}
		}
		if _, err := r.ReadFrame(300); !errors.Is(err, io.EOF) {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func TestBadFrames(t *testing.T) {
	for name, tc := range map[string]struct {
		in  string
		max int
		err error
	}{
		"nothing":              {"", 10, io.EOF},
		"half a length":        {"\x80", 10, io.ErrUnexpectedEOF},
		"no payload":           {"\x05", 10, io.ErrUnexpectedEOF},
		"half a payload":       {"\x05abc", 10, io.ErrUnexpectedEOF},
		"over the limit":       {"\x0b" + strings.Repeat("x", 11), 10, ErrTooLarge},
		"4 GiB":                {"\xff\xff\xff\xff\x0f", MaxFrame, ErrTooLarge},
		"2^63":                 {"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", MaxFrame, ErrTooLarge},
		"over MaxFrame":        {"\x81\x80\x40", 1 << 30, ErrTooLarge},
		"a longer form of 0":   {"\x80\x00", 10, ErrLength},
		"a longer form of 1":   {"\x81\x00x", 10, ErrLength},
		"a longer form, later": {"\x81\x80\x00x", 10, ErrLength},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewConn(pipe{Reader: strings.NewReader(tc.in)}).ReadFrame(tc.max)
			if !errors.Is(err, tc.err) {
				t.Errorf("%v instead of %v", err, tc.err)
			}
			if _, err := ReadFrame(strings.NewReader(tc.in), tc.max); !errors.Is(err, tc.err) {
				t.Errorf("no read-ahead: %v instead of %v", err, tc.err)
			}
		})
	}
	if err := NewConn(pipe{Writer: io.Discard}).WriteFrame(make([]byte, MaxFrame+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("writing over MaxFrame: %v", err)
	}
}

// counter counts writes.
type counter struct {
	bytes.Buffer
	n int
}

func (c *counter) Write(b []byte) (int, error) {
	c.n++
	return c.Buffer.Write(b)
}

func TestWritesAreGathered(t *testing.T) {
	var out counter
	w := NewConn(pipe{Writer: &out})
	for range 1000 {
		w.WriteFrame(make([]byte, 30))
	}
	if out.n != 0 {
		t.Errorf("%d writes before Flush", out.n)
	}
	w.Flush()
	w.Flush()
	if out.n != 1 {
		t.Errorf("%d writes", out.n)
	}
	for range 100 {
		w.WriteFrame(make([]byte, 3000))
	}
	w.Flush()
	if out.n > 7 {
		t.Errorf("%d writes for 300 kB", out.n)
	}
}

func TestConcurrentWriters(t *testing.T) {
	var out bytes.Buffer
	w := NewConn(pipe{Writer: &out})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				w.Send(bytes.Repeat([]byte{byte(i)}, 100+i))
			}
		})
	}
	wg.Wait()
	r := NewConn(pipe{Reader: &out})
	for range 400 {
		f, err := r.ReadFrame(200)
		if err != nil || !bytes.Equal(f, bytes.Repeat(f[:1], 100+int(f[0]))) {
			t.Fatalf("a torn frame: %v", err)
		}
	}
}

func TestFirstWriteErrorSticks(t *testing.T) {
	boom := errors.New("boom")
	w := NewConn(pipe{Writer: failing{boom}})
	if err := w.Send([]byte("x")); !errors.Is(err, boom) {
		t.Error(err)
	}
	if err := w.WriteFrame([]byte("x")); !errors.Is(err, boom) {
		t.Error(err)
	}
	if err := w.Flush(); !errors.Is(err, boom) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestMessagesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tag := rapid.Custom(func(t *rapid.T) (out Tag) {
			copy(out[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "tag"))
			return out
		})
		hello := Hello{Nonce: Nonce(tag.Draw(t, "nonce")), Version: rapid.Uint64().Draw(t, "version")}
		if got, err := ParseHello(hello.Marshal()); err != nil || got != hello {
			t.Fatalf("%+v, %v", got, err)
		}
		n := TagStep * rapid.IntRange(1, MaxTags/TagStep).Draw(t, "steps")
		offer := Offer{Nonce: hello.Nonce, Version: hello.Version, Tags: rapid.SliceOfN(tag, n, n).Draw(t, "tags")}
		if got, err := ParseOffer(offer.Marshal()); err != nil || !slices.Equal(got.Tags, offer.Tags) || got.Nonce != offer.Nonce {
			t.Fatalf("%+v, %v", got, err)
		}
		if n := len(offer.Marshal()); n > MaxHelloFrame {
			t.Fatalf("an offer of %d bytes", n)
		}
		proof := Proof{
			Tag: tag.Draw(t, "tag"), Sync: rapid.Bool().Draw(t, "sync"),
			Proof: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "proof"),
		}
		if got, err := ParseProof(proof.Marshal()); err != nil || got.Tag != proof.Tag || got.Sync != proof.Sync || !bytes.Equal(got.Proof, proof.Proof) {
			t.Fatalf("%+v, %v", got, err)
		}
		name := rapid.StringMatching(`[!-~]{1,64}`)
		head := Header{Tag: proof.Tag, Protos: rapid.SliceOfN(name, 1, MaxProtos).Draw(t, "protos")}
		if got, err := ParseHeader(head.Marshal()); err != nil || got.Tag != head.Tag || !slices.Equal(got.Protos, head.Protos) {
			t.Fatalf("%+v, %v", got, err)
		}
		if n := len(head.Marshal()); n > MaxHeaderFrame {
			t.Fatalf("a header of %d bytes", n)
		}
	})
}

func TestLargestProofFits(t *testing.T) {
	if n := len(Proof{Proof: make([]byte, MaxProof), Sync: true}.Marshal()); n > MaxHelloFrame {
		t.Errorf("%d bytes", n)
	}
}

func TestMalformedMessages(t *testing.T) {
	tags := func(n int) []byte { return Offer{Tags: make([]Tag, n)}.Marshal() }
	for name, tc := range map[string]struct {
		parse func([]byte) error
		in    []byte
	}{
		"no nonce":            {hello, nil},
		"a short nonce":       {hello, []byte{fieldNonce, 2, 1, 2}},
		"an unknown field":    {hello, append(Hello{}.Marshal(), 200, 1, 0)},
		"no tags":             {offer, tags(0)},
		"7 tags":              {offer, tags(7)},
		"72 tags":             {offer, tags(72)},
		"a proof too large":   {proof, Proof{Proof: make([]byte, MaxProof+1)}.Marshal()},
		"no proof":            {proof, Hello{}.Marshal()},
		"no protocol":         {header, Header{}.Marshal()},
		"an empty protocol":   {header, Header{Protos: []string{""}}.Marshal()},
		"a space in it":       {header, Header{Protos: []string{"a b"}}.Marshal()},
		"a long protocol":     {header, Header{Protos: []string{strings.Repeat("x", MaxProto+1)}}.Marshal()},
		"too many protocols":  {header, Header{Protos: slices.Repeat([]string{"x"}, MaxProtos+1)}.Marshal()},
		"a hello as a header": {header, Hello{}.Marshal()},
	} {
		if err := tc.parse(tc.in); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func hello(b []byte) error  { _, err := ParseHello(b); return err }
func offer(b []byte) error  { _, err := ParseOffer(b); return err }
func proof(b []byte) error  { _, err := ParseProof(b); return err }
func header(b []byte) error { _, err := ParseHeader(b); return err }

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x03abc\x00\x01x"), 100)
	f.Add([]byte("\xff\xff\xff\xff\x0f"), MaxFrame)
	f.Add([]byte("\x80\x00"), 10)
	f.Fuzz(func(t *testing.T, in []byte, max int) {
		c := NewConn(pipe{Reader: bytes.NewReader(in)})
		raw := bytes.NewReader(in)
		var back []byte
		for {
			p, err := c.ReadFrame(max)
			q, err2 := ReadFrame(raw, max)
			if (err == nil) != (err2 == nil) || !bytes.Equal(p, q) {
				t.Fatalf("%x, %v with read-ahead, %x, %v without", p, err, q, err2)
			}
			if err != nil {
				break
			}
			if len(p) > 0 && len(p) > max {
				t.Fatalf("%d bytes over the limit of %d", len(p), max)
			}
			back = AppendFrame(back, p)
		}
		if !bytes.HasPrefix(in, back) {
			t.Fatalf("%x read as %x", in, back)
		}
	})
}

func fuzzMessage[T any](f *testing.F, parse func([]byte) (T, error), marshal func(T) []byte, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := parse(in)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		// What was understood survives being written and read again.
		again, err := parse(marshal(m))
		if err != nil || !bytes.Equal(marshal(again), marshal(m)) {
			t.Fatalf("%+v, then %+v, %v", m, again, err)
		}
	})
}

func FuzzHello(f *testing.F) {
	fuzzMessage(f, ParseHello, Hello.Marshal, Hello{Version: 1}.Marshal(), nil)
}

func FuzzOffer(f *testing.F) {
	fuzzMessage(f, ParseOffer, Offer.Marshal, Offer{Tags: make([]Tag, 8)}.Marshal(), Offer{}.Marshal())
}

func FuzzProof(f *testing.F) {
	fuzzMessage(f, ParseProof, Proof.Marshal, Proof{Proof: []byte("p"), Sync: true}.Marshal(), Proof{}.Marshal())
}

func FuzzHeader(f *testing.F) {
	fuzzMessage(f, ParseHeader, Header.Marshal, Header{Protos: []string{"log/1", "x"}}.Marshal(), Header{}.Marshal())
}
