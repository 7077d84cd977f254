package wire

import (
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Limits of the handshake.
const (
	MaxHelloFrame = 8 << 10 // bytes of any frame of the handshake
	MaxTags       = 64      // tags in an offer, hence meshes proved in one handshake
	TagStep       = 8       // tags come in multiples of this
	MaxProof      = 7 << 10 // bytes of one proof with its binding
)

// Tag is an HMAC that only members can make or recognise.
type Tag [32]byte

// Nonce is one side's fresh randomness in a handshake.
type Nonce [32]byte

// Hello is the first frame, from the initiator.
type Hello struct {
	Nonce   Nonce
	Version uint64 // the initiator's Version; 0 when it did not say
}

// Field tags. Even ones must be understood, odd ones may be ignored.
const (
	fieldNonce   = 2
	fieldVersion = 3
	fieldTags    = 4
	fieldTag     = 6
	fieldProof   = 8
	fieldSync    = 9
	fieldProtos  = 10
)

// Marshal encodes h.
func (h Hello) Marshal() []byte {
	var f ident.Fields
	f.Bytes(fieldNonce, h.Nonce[:])
	f.Uint(fieldVersion, h.Version)
	return f.Body()
}

// ParseHello decodes what Hello.Marshal writes; ErrMalformed otherwise.
func ParseHello(b []byte) (Hello, error) {
	var h Hello
	r, err := ident.ReadFields(b, fieldNonce, fieldVersion)
	if err != nil {
		return Hello{}, malformed("hello", err)
	}
	r.Need(fieldNonce)
	r.Fixed(fieldNonce, h.Nonce[:])
	h.Version = r.Uint(fieldVersion)
	if err := r.Err(); err != nil {
		return Hello{}, malformed("hello", err)
	}
	return h, nil
}

// Offer is the second frame, from the responder: a tag for each of its meshes among random ones.
type Offer struct {
	Nonce   Nonce
	Version uint64
	Tags    []Tag // a multiple of TagStep, at least one step, at most MaxTags
}

// Marshal encodes o.
func (o Offer) Marshal() []byte {
	tags := make([][]byte, len(o.Tags))
	for i := range o.Tags {
		tags[i] = o.Tags[i][:]
	}
	var f ident.Fields
	f.Bytes(fieldNonce, o.Nonce[:])
	f.Uint(fieldVersion, o.Version)
	f.List(fieldTags, tags)
	return f.Body()
}

// ParseOffer decodes what Offer.Marshal writes; ErrMalformed otherwise.
func ParseOffer(b []byte) (Offer, error) {
	var o Offer
	r, err := ident.ReadFields(b, fieldNonce, fieldVersion, fieldTags)
	if err != nil {
		return Offer{}, malformed("offer", err)
	}
	r.Need(fieldNonce, fieldTags)
	r.Fixed(fieldNonce, o.Nonce[:])
	o.Version = r.Uint(fieldVersion)
	tags := r.List(fieldTags, MaxTags, len(Tag{}))
	if err := r.Err(); err != nil {
		return Offer{}, malformed("offer", err)
	}
	if len(tags) == 0 || len(tags)%TagStep != 0 {
		return Offer{}, malformed("offer", fmt.Errorf("%d tags", len(tags)))
	}
	for _, t := range tags {
		if len(t) != len(Tag{}) {
			return Offer{}, malformed("offer", fmt.Errorf("a tag of %d bytes", len(t)))
		}
		o.Tags = append(o.Tags, Tag(t))
	}
	return o, nil
}

// Proof is a frame of the third and fourth step, one for each mesh in common.
type Proof struct {
	Tag   Tag    // the sender's tag of the mesh
	Proof []byte // signed proof and binding, opaque here; at most MaxProof
	Sync  bool   // the responder wants the admin logs exchanged before it opens the mesh
}

// Marshal encodes p.
func (p Proof) Marshal() []byte {
	var f ident.Fields
	f.Bytes(fieldTag, p.Tag[:])
	f.Bytes(fieldProof, p.Proof)
	if p.Sync {
		f.Uint(fieldSync, 1)
	}
	return f.Body()
}

// ParseProof decodes what Proof.Marshal writes; ErrMalformed otherwise.
func ParseProof(b []byte) (Proof, error) {
	var p Proof
	r, err := ident.ReadFields(b, fieldTag, fieldProof, fieldSync)
	if err != nil {
		return Proof{}, malformed("proof", err)
	}
	r.Need(fieldTag, fieldProof)
	r.Fixed(fieldTag, p.Tag[:])
	p.Proof = r.Bytes(fieldProof, MaxProof)
	p.Sync = r.Uint(fieldSync) != 0
	if err := r.Err(); err != nil {
		return Proof{}, malformed("proof", err)
	}
	return p, nil
}

func malformed(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}
