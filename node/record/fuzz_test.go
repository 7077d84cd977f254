package record

import (
	"bytes"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

func FuzzDecodeText(f *testing.F) {
	for _, t := range []text{{"state", "k", []byte("v")}, {"own", "key", []byte{}}, {"card", "a/b", bytes.Repeat([]byte{7}, 300)}} {
		f.Add(t.encode(false), false)
		f.Add(t.encode(true), true)
		f.Add(append(t.encode(false), 9, 0), false) // a field of a later version
	}
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, plain []byte, deleted bool) {
		got, err := decodeText(plain, deleted)
		if err != nil {
			return
		}
		if got.kind == "" || got.key == "" || len(got.key) > MaxKey || deleted != (got.value == nil) {
			t.Fatalf("decoded %+v", got)
		}
		again, err := decodeText(got.encode(deleted), deleted)
		if err != nil || again.kind != got.kind || again.key != got.key || !bytes.Equal(again.value, got.value) {
			t.Errorf("%+v became %+v, %v", got, again, err)
		}
	})
}

func FuzzDecodePlace(f *testing.F) {
	f.Add(place{kind: "state", key: "k"}.encode())
	f.Add(place{kind: "own", key: "a\x00b", shows: true, clock: 7, author: ident.PublicKey{3}, sum: 9}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := decodePlace(b)
		if ok && b[0] < 2 && !bytes.Equal(p.encode(), b) {
			t.Errorf("%x decodes to %+v", b, p)
		}
	})
}
