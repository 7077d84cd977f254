package mesh

import (
	"bytes"
	"io"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// oneWay is a stream that gives the fuzzer's bytes and takes everything.
type oneWay struct {
	io.Reader
	io.Writer
}

// FuzzLogExchange gives both ends of the log exchange arbitrary bytes.
func FuzzLogExchange(f *testing.F) {
	frame := func(payloads ...[]byte) []byte {
		var b []byte
		for _, p := range payloads {
			b = wire.AppendFrame(b, p)
		}
		return b
	}
	f.Add(frame(nil, nil))
	f.Add(frame(make([]byte, 64), nil, []byte{0, 0, 0, 0, 0, 0, 0, 3}, []byte("abc"), nil))
	f.Add(frame(nil, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func(*exchange) error{
			func(x *exchange) error { _, err := x.readIDs(); return err },
			func(x *exchange) error { _, err := x.readEntry(maxLogBytes); return err },
		} {
			x := &exchange{conn: wire.NewConn(oneWay{bytes.NewReader(data), io.Discard})}
			for range 16 {
				if read(x) != nil {
					break
				}
			}
		}
	})
}

// FuzzProof gives the handshake's check arbitrary bytes: nothing but a real proof
// passes, and nothing panics.
func FuzzProof(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{2, 1, 0, 4, 1, 0, 5, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &Mesh{}
		if _, err := m.check(host.Transcript{Dir: 'i'}, data); err == nil {
			t.Fatal("a made-up proof passed")
		}
	})
}
