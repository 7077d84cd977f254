package inbox

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func FuzzSpread(f *testing.F) {
	s := Spread{
		Mesh: ident.MeshID{1}, Origin: ident.PublicKey{2}, ID: [16]byte{3}, Hash: ident.ID{4}, Age: time.Hour,
		Priority: delivery.Low, Ord: 5, Addresses: []ident.PublicKey{{6}, {7}},
	}
	f.Add(s.key(), s.encode())
	s.Addresses = nil
	f.Add(s.key(), s.encode())
	f.Fuzz(func(t *testing.T, k, v []byte) {
		s, err := decodeSpread(k, v)
		if err != nil {
			return
		}
		if !bytes.Equal(s.key(), k) || !bytes.Equal(s.encode(), v) {
			t.Errorf("%+v is written otherwise", s)
		}
	})
}

func TestSpreadRefused(t *testing.T) {
	good := Spread{Priority: delivery.Now, Addresses: []ident.PublicKey{{1}}}
	if got, err := decodeSpread(good.key(), good.encode()); err != nil || !reflect.DeepEqual(got, good) {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, v := range map[string][]byte{
		"empty": nil, "cut": good.encode()[:60], "no priority": Spread{}.encode(),
		"too many": append(good.encode(), make([]byte, 32*maxSpread)...),
	} {
		if _, err := decodeSpread(good.key(), v); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}
