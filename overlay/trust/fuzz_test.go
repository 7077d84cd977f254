package trust

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// Fuzz targets: nothing panics, and what is accepted is written back with the
// same meaning.

func FuzzParseEntry(f *testing.F) {
	rapidSeeds(f, func(b Body) { // bodies of all kinds, some with wraps
		f.Add(Entry{stmt: ident.Sign(b.Kind(), ident.MeshID{}, b.Encode(), who("ann").key)}.Marshal())
	})
	o := found(f)
	f.Add(o.log.Entries()[0].Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			return
		}
		again, err := ParseEntry(e.Marshal())
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%x came back as %+v, %v", b, again, err)
		}
		if !bytes.Equal(e.body.Encode(), e.stmt.Body) {
			// Only ignored fields may be lost.
			if back, err := DecodeBody(e.body.Encode()); err != nil || !reflect.DeepEqual(back, e.body) {
				t.Errorf("body %x came back as %+v, %v", e.stmt.Body, back, err)
			}
		}
	})
}

func FuzzDecodeBody(f *testing.F) {
	rapidSeeds(f, func(b Body) { f.Add(b.Encode()) })
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := DecodeBody(b)
		if err != nil {
			return
		}
		back, err := DecodeBody(body.Encode())
		if err != nil || !reflect.DeepEqual(back, body) {
			t.Errorf("%x came back as %+v, %v", b, back, err)
		}
	})
}

// rapidSeeds gives bodies of all kinds to add.
func rapidSeeds(f *testing.F, add func(Body)) {
	gen := rapid.Custom(genBody)
	for i := range 40 {
		add(gen.Example(i))
	}
}

func fuzzDecoder[T interface{ Encode() []byte }](f *testing.F, decode func([]byte) (T, error), seeds ...T) {
	for _, s := range seeds {
		f.Add(s.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decode(b)
		if err != nil {
			return
		}
		back, err := decode(v.Encode())
		if err != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("%x came back as %+v, %v", b, back, err)
		}
	})
}

func FuzzDecodeClaim(f *testing.F) {
	p := who("ann")
	fuzzDecoder(f, DecodeClaim, Claim{Invite: ident.ID{1}, Keys: p.keys, Peer: []byte("peer"), Name: "ann"})
}

func FuzzDecodeBind(f *testing.F) {
	fuzzDecoder(f, DecodeBind, Bind{Member: who("ann").pub, Peer: []byte("peer"), Gen: 1, Until: start, Heads: []ident.ID{{1}, {2}}})
}

func FuzzDecodeDelivery(f *testing.F) {
	p := who("ann")
	fuzzDecoder(f, DecodeDelivery, Delivery{Member: p.pub, Gen: 1, Seq: 2, Key: p.keys.Seal, Created: start})
}

func FuzzDecodeAttest(f *testing.F) {
	p := who("ann")
	fuzzDecoder(f, DecodeAttest,
		Attest{Member: p.pub, Session: p.pub, Name: "s", Rights: AllRights, Guest: [32]byte{1}, From: start, Until: start.Add(time.Hour), Seq: 3},
		Attest{Member: p.pub, Session: p.pub, Name: "s", From: start})
}

func FuzzDecodeProof(f *testing.F) {
	fuzzDecoder(f, DecodeProof, Proof{Member: who("ann").pub, On: Transcript{Dir: 'i', PeerI: []byte("i"), PeerR: []byte("r")}, Heads: []ident.ID{{1}}})
}

func FuzzDecodeStream(f *testing.F) {
	fuzzDecoder(f, DecodeStream, Stream{Member: who("ann").pub, Dir: 'r', Enc: make([]byte, seal.EncSize)})
}
