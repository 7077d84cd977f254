package ident

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParsePublicKey(t *testing.T) {
	good := PrivateKeyFromSeed([32]byte{1}).Public()
	cases := []struct {
		name, hex string
		ok        bool
	}{
		{"a real key", good.String(), true},
		{"too short", good.String()[2:], false},
		{"identity", "01" + strings.Repeat("00", 31), false},
		{"all zero, order 4", strings.Repeat("00", 32), false},
		{"order 4, negative", strings.Repeat("00", 31) + "80", false},
		{"order 2", "ec" + strings.Repeat("ff", 30) + "7f", false},
		{"order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", false},
		{"order 8, other", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", false},
		{"y = p, not canonical", "ed" + strings.Repeat("ff", 30) + "7f", false},
		{"y = p+3, not canonical", "f0" + strings.Repeat("ff", 30) + "7f", false},
		{"not on the curve", "02" + strings.Repeat("00", 31), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, err := hex.DecodeString(c.hex)
			if err != nil {
				t.Fatal(err)
			}
			k, err := ParsePublicKey(b)
			if c.ok != (err == nil) {
				t.Fatalf("ParsePublicKey = %v, %v", k, err)
			}
			if err != nil && !errors.Is(err, ErrKey) {
				t.Errorf("error %v is not ErrKey", err)
			}
		})
	}
}

func TestVerifyChecksTheKeyAgain(t *testing.T) {
	s := Statement{Body: []byte("x"), Sigs: [][64]byte{{1}}}
	if err := s.Verify(KindBind, MeshID{}, PublicKey{1}); !errors.Is(err, ErrKey) {
		t.Errorf("Verify with the identity as key = %v, want ErrKey", err)
	}
}

func TestTextForms(t *testing.T) {
	type all struct {
		K PublicKey
		M MeshID
		I ID
	}
	in := all{PrivateKeyFromSeed([32]byte{7}).Public(), MeshID{1, 2, 3}, ID{4, 5}}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out all
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Fatalf("%s came back as %+v, %v", b, out, err)
	}
	if len(in.M.String()) != 32 {
		t.Errorf("mesh id %q is not 32 characters", in.M)
	}
	for _, bad := range []string{"", strings.ToUpper(in.M.String()), strings.Repeat("1", 32), in.M.String() + "a"} {
		if _, err := ParseMeshID(bad); !errors.Is(err, ErrMeshID) {
			t.Errorf("ParseMeshID(%q) = %v", bad, err)
		}
	}
	for _, bad := range []string{"", strings.Repeat("A", 64), in.I.String() + "00", "zz"} {
		if _, err := ParseID(bad); !errors.Is(err, ErrID) {
			t.Errorf("ParseID(%q) = %v", bad, err)
		}
	}
	if _, err := ParsePublicKeyHex(strings.ToUpper(in.K.String())); !errors.Is(err, ErrKey) {
		t.Errorf("upper-case key hex = %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	seed := Seed{0xde, 0xad, 0xbe, 0xef}
	key := PrivateKeyFromSeed([32]byte{0xde, 0xad, 0xbe, 0xef})
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "seed", seed, "key", key, "both", []any{seed, key})
	text := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		text += fmt.Sprintf(verb+" "+verb+" "+verb, seed, key, struct{ S Seed }{seed})
	}
	for _, bad := range []string{"deadbeef", "DEADBEEF", "222 173", "222,173", "0xde"} {
		if strings.Contains(text, bad) {
			t.Errorf("a secret shows as %q in %s", bad, text)
		}
	}
	for _, v := range []any{seed, key} {
		if b, err := json.Marshal(v); !errors.Is(err, ErrSecret) {
			t.Errorf("json.Marshal(%T) = %s, %v", v, b, err)
		}
	}
}

func TestSeedKeys(t *testing.T) {
	s := Seed{1, 2, 3}
	if s.Member().Public() == s.Blind().Public() {
		t.Error("member and blind key are the same")
	}
	if got := len(SealPublic(s.Seal())); got != SealPublicSize {
		t.Errorf("seal key has %d bytes, want %d", got, SealPublicSize)
	}
	// The derivation is the documented one.
	raw := KDF(s[:], "key/seal")
	k, err := hpke.MLKEM768X25519().NewPrivateKey(raw[:])
	if err != nil || !bytes.Equal(SealPublic(k), SealPublic(s.Seal())) {
		t.Error("seal key is not the KEM's key of the derived bytes")
	}
	// Frozen: a change of these would lose every member its identity.
	sealSum := sha256.Sum256(SealPublic(s.Seal()))
	sig := Sign(KindBind, MeshID{1}, []byte("body"), s.Member()).Sigs[0]
	for _, c := range []struct{ name, got, want string }{
		{"member", s.Member().Public().String(), "c5c98badfbdc37a87717263af1af631a979b5046f70ba66ac6e66c8d6567eaf2"},
		{"blind", s.Blind().Public().String(), "259056250ef199b1831c2dd5552befa1e8cf24603fca1e4bb6fecbf0626b06bf"},
		{"SHA-256 of seal", hex.EncodeToString(sealSum[:]), "b329354a372869d8d1f3e191b3787be6793e5a1483ec0d0cd753caf40fddf272"},
		{"signature", hex.EncodeToString(sig[:]), "065ca30cabac6d3c9cd46668f26f2f24555ee979da30f8789620c702a8fd4d13" +
			"d97248f07f3565951cba1dd61dca297d76aa18fe8b9841dd752ffb4c2e54630a"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestNewKeysDiffer(t *testing.T) {
	a, err := NewSeed()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewSeed()
	if err != nil || a == b {
		t.Fatalf("two seeds are alike (%v)", err)
	}
	k, err := NewPrivateKey()
	if err != nil || k.IsZero() || !(PrivateKey{}).IsZero() {
		t.Fatalf("NewPrivateKey: %v", err)
	}
	if PrivateKeyFromSeed(k.Seed()).Public() != k.Public() {
		t.Error("a key does not come back from its seed")
	}
}
