package ident

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func testKey(n byte) PrivateKey { return PrivateKeyFromSeed([32]byte{n}) }

func TestSignedText(t *testing.T) {
	got := SignedText(KindAdmit, MeshID{9}, []byte("body"))
	if !bytes.HasPrefix(got, []byte("claudemesh/1/admit\x00\x09")) || len(got) != 18+1+20+32 {
		t.Errorf("signed text %q", got)
	}
}

func TestVerify(t *testing.T) {
	mesh := MeshID{1}
	body := []byte("body")
	three := Sign(KindClaim, mesh, body, testKey(1), testKey(2), testKey(3))
	one := Sign(KindBind, mesh, body, testKey(1))
	cases := []struct {
		name string
		s    Statement
		kind Kind
		mesh MeshID
		keys []PublicKey
		ok   bool
	}{
		{"one", one, KindBind, mesh, []PublicKey{testKey(1).Public()}, true},
		{"three", three, KindClaim, mesh, []PublicKey{testKey(1).Public(), testKey(2).Public(), testKey(3).Public()}, true},
		{"order matters", three, KindClaim, mesh, []PublicKey{testKey(2).Public(), testKey(1).Public(), testKey(3).Public()}, false},
		{"other kind", one, KindLeave, mesh, []PublicKey{testKey(1).Public()}, false},
		{"other mesh", one, KindBind, MeshID{2}, []PublicKey{testKey(1).Public()}, false},
		{"other key", one, KindBind, mesh, []PublicKey{testKey(2).Public()}, false},
		{"too few signatures", one, KindBind, mesh, []PublicKey{testKey(1).Public(), testKey(1).Public()}, false},
		{"too many signatures", three, KindClaim, mesh, []PublicKey{testKey(1).Public()}, false},
		{"no key", one, KindBind, mesh, nil, false},
		{"other body", Statement{[]byte("bodY"), one.Sigs}, KindBind, mesh, []PublicKey{testKey(1).Public()}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := c.s.Verify(c.kind, c.mesh, c.keys...)
			if c.ok != (err == nil) {
				t.Fatalf("Verify = %v", err)
			}
			if err != nil && !errors.Is(err, ErrSignature) {
				t.Errorf("error %v is not ErrSignature", err)
			}
		})
	}
}

func TestParseStatementStrict(t *testing.T) {
	good := Sign(KindBind, MeshID{}, []byte("body"), testKey(1)).Marshal()
	count := 5 // where the number of signatures stands
	change := func(f func(b []byte) []byte) []byte { return f(append([]byte{}, good...)) }
	cases := []struct {
		name string
		b    []byte
		max  int
		want error
	}{
		{"good", good, 4, nil},
		{"body too large", good, 3, ErrTooLarge},
		{"empty", nil, 4, ErrEncoding},
		{"trailing byte", append(append([]byte{}, good...), 0), 4, ErrEncoding},
		{"cut", good[:len(good)-1], 4, ErrEncoding},
		{"no signature count", good[:count], 4, ErrEncoding},
		{"no signature", change(func(b []byte) []byte { b[count] = 0; return b[:count+1] }), 4, ErrEncoding},
		{"five signatures", change(func(b []byte) []byte { b[count] = 5; return append(b, make([]byte, 256)...) }), 4, ErrEncoding},
		{"length not in shortest form", append([]byte{0x84, 0}, good[1:]...), 4, ErrEncoding},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := ParseStatement(c.b, c.max)
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("ParseStatement = %v, want %v", err, c.want)
			}
			if err == nil && !bytes.Equal(s.Marshal(), c.b) {
				t.Error("does not marshal to the same bytes")
			}
		})
	}
}

func TestStatementRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		keys := []PrivateKey{testKey(1), testKey(2), testKey(3), testKey(4)}[:rapid.IntRange(1, 4).Draw(t, "keys")]
		s := Sign(KindClaim, MeshID{1}, body, keys...)
		got, err := ParseStatement(s.Marshal(), len(body))
		if err != nil {
			t.Fatal(err)
		}
		var pub []PublicKey
		for _, k := range keys {
			pub = append(pub, k.Public())
		}
		if err := got.Verify(KindClaim, MeshID{1}, pub...); err != nil || got.ID() != s.ID() {
			t.Fatalf("came back different: %v", err)
		}
	})
}

// FuzzParseStatement: whatever is accepted is written back byte for byte.
func FuzzParseStatement(f *testing.F) {
	f.Add(Sign(KindBind, MeshID{}, []byte("body"), testKey(1)).Marshal())
	f.Add(Sign(KindClaim, MeshID{}, nil, testKey(1), testKey(2)).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStatement(b, 100)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Marshal(), b) {
			t.Errorf("%x written back as %x", b, s.Marshal())
		}
	})
}
