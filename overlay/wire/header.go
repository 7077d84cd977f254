package wire

import (
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits of a mesh stream's header.
const (
	MaxHeaderFrame = 2 << 10 // bytes of the frame
	MaxProtos      = 16      // inner protocols in it
	MaxProto       = 64      // bytes of one inner protocol's name
)

// Answers to a header that are no index. Only a proved member of the mesh ever gets them; everybody
// else gets a reset.
const (
	NoProto = 0xff // none of the inner protocols is served here
	Busy    = 0xfe // too many streams, at once or in a short time: try later
)

// Header is the first frame of a mesh stream.
type Header struct {
	Tag    Tag      // of one handshake on this very connection, and so of one mesh
	Protos []string // inner protocols the opener speaks, the best first
}

// Marshal encodes h.
func (h Header) Marshal() []byte {
	protos := make([][]byte, len(h.Protos))
	for i, p := range h.Protos {
		protos[i] = []byte(p)
	}
	var f ident.Fields
	f.Bytes(fieldTag, h.Tag[:])
	f.List(fieldProtos, protos)
	return f.Body()
}

// ParseHeader decodes what Header.Marshal writes; ErrMalformed otherwise. Names are printable ASCII.
func ParseHeader(b []byte) (Header, error) {
	var h Header
	r, err := ident.ReadFields(b, fieldTag, fieldProtos)
	if err != nil {
		return Header{}, malformed("header", err)
	}
	r.Need(fieldTag, fieldProtos)
	r.Fixed(fieldTag, h.Tag[:])
	protos := r.List(fieldProtos, MaxProtos, MaxProto)
	if err := r.Err(); err != nil {
		return Header{}, malformed("header", err)
	}
	if len(protos) == 0 {
		return Header{}, malformed("header", fmt.Errorf("no inner protocol"))
	}
	for _, p := range protos {
		if !printable(p) {
			return Header{}, malformed("header", fmt.Errorf("unprintable inner protocol"))
		}
		h.Protos = append(h.Protos, string(p))
	}
	return h, nil
}

func printable(p []byte) bool {
	for _, c := range p {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(p) > 0
}
