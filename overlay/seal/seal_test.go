package seal

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

var mesh = ident.MeshID{1}

func TestInfo(t *testing.T) {
	got := Info(UseLetter, mesh, ident.PublicKey{2}, [32]byte{3})
	if !bytes.HasPrefix(got, []byte("claudemesh/1/letter\x00\x01")) || len(got) != 20+20+32+32 {
		t.Errorf("info %q", got)
	}
}

func TestSealOpensOnlyAsSealed(t *testing.T) {
	priv := ident.Seed{1}.Seal()
	other := ident.Seed{2}.Seal()
	pub := ident.SealPublic(priv)
	info := Info(UseLetter, mesh, ident.PublicKey{2}, KeyID(pub))
	sealed, err := Seal(pub, info, []byte("head"), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) != len("plain")+Overhead {
		t.Errorf("%d bytes sealed", len(sealed))
	}
	flipped := append([]byte{}, sealed...)
	flipped[len(flipped)-1] ^= 1
	cases := []struct {
		name string
		run  func() ([]byte, error)
		ok   bool
	}{
		{"right", func() ([]byte, error) { return Open(priv, info, []byte("head"), sealed) }, true},
		{"other key", func() ([]byte, error) { return Open(other, info, []byte("head"), sealed) }, false},
		{"other use", func() ([]byte, error) {
			return Open(priv, Info(UseFile, mesh, ident.PublicKey{2}, KeyID(pub)), []byte("head"), sealed)
		}, false},
		{"other mesh", func() ([]byte, error) {
			return Open(priv, Info(UseLetter, ident.MeshID{2}, ident.PublicKey{2}, KeyID(pub)), []byte("head"), sealed)
		}, false},
		{"other recipient", func() ([]byte, error) {
			return Open(priv, Info(UseLetter, mesh, ident.PublicKey{3}, KeyID(pub)), []byte("head"), sealed)
		}, false},
		{"other header", func() ([]byte, error) { return Open(priv, info, nil, sealed) }, false},
		{"a flipped bit", func() ([]byte, error) { return Open(priv, info, []byte("head"), flipped) }, false},
		{"cut", func() ([]byte, error) { return Open(priv, info, []byte("head"), sealed[:Overhead-1]) }, false},
		{"empty", func() ([]byte, error) { return Open(priv, info, []byte("head"), nil) }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			plain, err := c.run()
			if c.ok != (err == nil) || c.ok && string(plain) != "plain" {
				t.Fatalf("Open = %q, %v", plain, err)
			}
			if err != nil && !errors.Is(err, ErrOpen) {
				t.Errorf("error %v is not ErrOpen", err)
			}
		})
	}
}

func TestContextIsInOrder(t *testing.T) {
	priv, err := NewDeliveryKey()
	if err != nil {
		t.Fatal(err)
	}
	pub := ident.SealPublic(priv)
	info := Info(UseStream, mesh, ident.PublicKey{2}, KeyID(pub))
	enc, s, err := NewSender(pub, info)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRecipient(priv, enc, info)
	if err != nil {
		t.Fatal(err)
	}
	var cts [][]byte
	for _, m := range []string{"one", "two", "three"} {
		ct, err := s.Seal(nil, []byte(m))
		if err != nil {
			t.Fatal(err)
		}
		cts = append(cts, ct)
	}
	if got, err := r.Open(nil, cts[0]); err != nil || string(got) != "one" {
		t.Fatalf("first: %q, %v", got, err)
	}
	if _, err := r.Open(nil, cts[2]); err == nil {
		t.Error("the third opened as the second")
	}
	if _, err := NewRecipient(priv, enc[1:], info); !errors.Is(err, ErrOpen) {
		t.Errorf("short encapsulated key: %v", err)
	}
}

func TestKeysOnDisk(t *testing.T) {
	k, err := NewDeliveryKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Bytes()
	if err != nil || len(b) != PrivateSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	back, err := ParsePrivate(b)
	if err != nil || !bytes.Equal(ident.SealPublic(back), ident.SealPublic(k)) {
		t.Errorf("key does not come back: %v", err)
	}
	if _, err := ParsePrivate(b[1:]); err == nil {
		t.Error("a short private key was taken")
	}
	for _, bad := range [][]byte{nil, make([]byte, PublicSize-1), make([]byte, PublicSize+1), bytes.Repeat([]byte{0xff}, PublicSize)} {
		if _, err := ParsePublic(bad); !errors.Is(err, ErrPublic) {
			t.Errorf("public key of %d bytes: %v", len(bad), err)
		}
		if _, err := Seal(bad, nil, nil, nil); !errors.Is(err, ErrPublic) {
			t.Errorf("sealed to a key of %d bytes: %v", len(bad), err)
		}
	}
}

func TestEpochSealRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		epoch := ident.ID(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "epoch"))
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed, err := EpochSeal(key, epoch, UseGossip, mesh, plain)
		if err != nil || len(sealed) != len(plain)+EpochOverhead {
			t.Fatalf("%d bytes, %v", len(sealed), err)
		}
		if got, err := EpochOf(sealed); err != nil || got != epoch {
			t.Fatalf("EpochOf = %v, %v", got, err)
		}
		if got, err := EpochOpen(key, UseGossip, mesh, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("EpochOpen = %x, %v", got, err)
		}
		bit := rapid.IntRange(8, 8*len(sealed)-1).Draw(t, "bit") // after the version
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := EpochOpen(key, UseGossip, mesh, sealed); !errors.Is(err, ErrOpen) {
			t.Fatalf("opened with bit %d flipped: %v", bit, err)
		}
	})
}

func TestEpochSealIsBoundToUseAndMesh(t *testing.T) {
	sealed, err := EpochSeal([32]byte{1}, ident.ID{2}, UseMsg, mesh, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := EpochOpen([32]byte{1}, UseGossip, mesh, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("other use: %v", err)
	}
	if _, err := EpochOpen([32]byte{1}, UseMsg, ident.MeshID{9}, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("other mesh: %v", err)
	}
	if _, err := EpochOpen([32]byte{2}, UseMsg, mesh, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("other key: %v", err)
	}
	sealed[0] = 9
	if _, err := EpochOpen([32]byte{1}, UseMsg, mesh, sealed); !errors.Is(err, ErrVersion) {
		t.Errorf("other version: %v", err)
	}
	again, err := EpochSeal([32]byte{1}, ident.ID{2}, UseMsg, mesh, []byte("x"))
	if err != nil || bytes.Equal(again[33:], sealed[33:]) {
		t.Errorf("two sealings are alike (%v)", err)
	}
}

func TestBox(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := BoxSeal(key, []byte("aad"), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := BoxOpen(key, []byte("aad"), sealed); err != nil || string(got) != "plain" {
		t.Errorf("BoxOpen = %q, %v", got, err)
	}
	if _, err := BoxOpen(key, nil, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("other aad: %v", err)
	}
	if _, err := BoxOpen(key, nil, sealed[:BoxOverhead-1]); !errors.Is(err, ErrOpen) {
		t.Errorf("cut: %v", err)
	}
}

func FuzzEpochOpen(f *testing.F) {
	good, err := EpochSeal([32]byte{1}, ident.ID{2}, UseMsg, mesh, []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := EpochOpen([32]byte{1}, UseMsg, mesh, b)
		if err == nil && string(plain) != "x" { // what was sealed above, in whichever process
			t.Errorf("a forgery opened as %q", plain)
		}
	})
}

func FuzzOpen(f *testing.F) {
	priv := ident.Seed{1}.Seal()
	f.Add(make([]byte, Overhead))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := Open(priv, []byte("info"), nil, b); err == nil {
			t.Errorf("a forgery opened as %q", plain)
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	f.Add(ident.SealPublic(ident.Seed{1}.Seal()))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParsePublic(b)
		if err == nil && !bytes.Equal(k.Bytes(), b) {
			t.Error("a key is not the bytes it came from")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	pub := ident.SealPublic(ident.Seed{1}.Seal())
	msg := make([]byte, 512)
	for b.Loop() {
		if _, err := Seal(pub, []byte("info"), nil, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEpochSeal(b *testing.B) {
	msg := make([]byte, 512)
	for b.Loop() {
		if _, err := EpochSeal([32]byte{1}, ident.ID{2}, UseMsg, mesh, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEpochKeyIsOfOneUseAndMesh(t *testing.T) {
	sealed, err := BoxSeal(EpochKey([32]byte{1}, UseRecord, mesh), []byte("head"), []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		key    [32]byte
		header string
		ok     bool
	}{
		{"right", EpochKey([32]byte{1}, UseRecord, mesh), "head", true},
		{"other key", EpochKey([32]byte{2}, UseRecord, mesh), "head", false},
		{"other use", EpochKey([32]byte{1}, UseMsg, mesh), "head", false},
		{"other mesh", EpochKey([32]byte{1}, UseRecord, ident.MeshID{2}), "head", false},
		{"other header", EpochKey([32]byte{1}, UseRecord, mesh), "Head", false},
	}
	for _, c := range cases {
		plain, err := BoxOpen(c.key, []byte(c.header), sealed)
		if c.ok != (err == nil) || c.ok && string(plain) != "plain" || !c.ok && !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %q, %v", c.name, plain, err)
		}
	}
}
